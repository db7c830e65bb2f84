import Metainfo

extension StateFolder {
  /// Holds something against other processes while this value is there.
  public final class Lock: Sendable {
    private let lock: FileLock

    fileprivate init(_ lock: consuming FileLock) { self.lock = lock }
  }

  /// Holds the record of what a daemon takes part in; throws which process has it.
  public func lockForDaemon() throws(StateError) -> Lock {
    Lock(try FileLock(path.appending(path: Array("daemon.lock".utf8)), waits: false))
  }

  /// Holds what paths are published as; waits for others, who are done soon.
  func lockSources() throws(StateError) -> Lock {
    Lock(try FileLock(path.appending(path: Array("sources.lock".utf8)), waits: true))
  }

  /// Holds the list of places; waits for others, who are done soon.
  func lockPlaces() throws(StateError) -> Lock {
    Lock(try FileLock(path.appending(path: Array("places.lock".utf8)), waits: true))
  }
}
