import Metainfo
import Swarm
import SwarmNode

/// Reads bytes of a dataset's file through the node: verified, fetched first of all where they are not
/// here.
///
/// Belongs to the loop's thread.
final class FileFetch {
  /// Bytes of one read, and how many are under way at once: what 100 Mbit/s have under way at a third
  /// of a second.
  private static let step: UInt64 = 256 << 10
  private static let window = 16

  private let node: Node
  private let torrent: TorrentID
  private let file: MachineFiles.File
  private let end: UInt64
  private let timeout: Duration?
  private let sink: (UnsafeRawBufferPointer, UInt64) throws(Failure) -> Void
  private let completion: (Failure?) -> Void
  private var next: UInt64 = 0
  private var running: Set<ReadID> = []
  private var isOver = false

  /// Begins.
  ///
  /// - Parameters:
  ///   - bytes: how many, from the first on.
  ///   - timeout: how long each part is waited for; nil for the usual.
  ///   - sink: gets bytes and their offset, each byte once, in any order.
  ///   - completion: called once.
  init(
    _ bytes: UInt64, of file: MachineFiles.File, in torrent: TorrentID, on node: Node,
    timeout: Duration?, sink: @escaping (UnsafeRawBufferPointer, UInt64) throws(Failure) -> Void,
    completion: @escaping (Failure?) -> Void
  ) {
    self.node = node
    self.torrent = torrent
    self.file = file
    self.timeout = timeout
    self.sink = sink
    self.completion = completion
    end = min(bytes, file.length)
    goOn()
  }

  /// Reads all of a small file, or its beginning, into memory.
  static func memory(
    _ bytes: UInt64, of file: MachineFiles.File, in torrent: TorrentID, on node: Node,
    timeout: Duration?, completion: @escaping (Result<[UInt8], Failure>) -> Void
  ) {
    var found = [UInt8](repeating: 0, count: Int(min(bytes, file.length)))
    _ = FileFetch(
      bytes, of: file, in: torrent, on: node, timeout: timeout,
      sink: { part, offset in
        found.withUnsafeMutableBytes {
          UnsafeMutableRawBufferPointer(rebasing: $0[Int(offset)...]).copyMemory(from: part)
        }
      },
      completion: { failure in completion(failure.map { .failure($0) } ?? .success(found)) })
  }

  /// Held by its reads.
  private func goOn() {
    while !isOver, next < end, running.count < Self.window {
      let range = next..<min(next + Self.step, end)
      next = range.upperBound
      var id: ReadID?
      id = node.read(
        range, of: file.index, in: torrent, timeout: timeout ?? .seconds(60),
        deliver: { [self] bytes, offset in take(bytes, offset) },
        completion: { [self] failure in
          if let id { running.remove(id) }
          if let failure { return finish(Failure("\(file.path) cannot be read: \(failure.text)")) }
          goOn()
        })
      if let id { running.insert(id) }
    }
    if running.isEmpty, next >= end { finish(nil) }
  }

  private func take(_ bytes: UnsafeRawBufferPointer, _ offset: UInt64) {
    guard !isOver else { return }
    do { try sink(bytes, offset) } catch { finish(error) }
  }

  private func finish(_ failure: Failure?) {
    guard !isOver else { return }
    isOver = true
    for read in running { node.cancel(read) }
    running = []
    completion(failure)
  }
}
