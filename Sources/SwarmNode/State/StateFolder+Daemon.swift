import Metainfo

extension StateFolder {
  /// While this value is there, no other daemon keeps its record in the state folder.
  public final class DaemonLock: Sendable {
    private let lock: FileLock

    fileprivate init(_ lock: consuming FileLock) { self.lock = lock }
  }

  /// Holds the record of what a daemon takes part in; throws which process has it.
  public func lockForDaemon() throws(StateError) -> DaemonLock {
    DaemonLock(try FileLock(path.appending(path: Array("daemon.lock".utf8)), waits: false))
  }
}
