import Metainfo

/// A run of bytes of a file, all here and verified, or none.
public struct PresenceRun: Hashable, Sendable {
  /// How many bytes.
  public var length: UInt64
  /// Whether they are here and verified.
  public var isHere: Bool
}

/// What can be read without any peer.
extension Swarm {
  /// Whether these bytes of a file are on disk and verified, all of them.
  public func isHere(_ bytes: Range<UInt64>, of file: Int, in id: TorrentID) -> Bool {
    guard let data = torrent(id)?.data, let number = UInt32(exactly: file),
      let index = data.geometry.file(number),
      let blocks = data.geometry.blocks(of: index, bytes: bytes)
    else { return false }
    return blocks.allSatisfy { data.content.isHere($0) }
  }

  /// Which of these bytes are here, from the first on; ends after so many blocks or runs, and where the
  /// file does.
  public func presence(
    of bytes: Range<UInt64>, of file: Int, in id: TorrentID, blocks limit: Int, runs most: Int
  ) -> [PresenceRun] {
    guard let data = torrent(id)?.data, let number = UInt32(exactly: file),
      let index = data.geometry.file(number),
      let blocks = data.geometry.blocks(of: index, bytes: bytes)
    else { return [] }
    var runs: [PresenceRun] = []
    var position = bytes.lowerBound
    var looked = blocks.prefix(limit)
    while runs.count < most, let first = looked.first, position < bytes.upperBound {
      let isHere = data.content.isHere(first)
      let run = looked.prefix { data.content.isHere($0) == isHere }
      looked = looked.dropFirst(run.count)
      // Blocks of one file lie one behind the other: where the last one ends, the run does.
      guard
        let span = run.last.flatMap({ data.geometry.spans(of: $0).first { $0.file == index } })
      else { break }
      let end = min(span.offset + UInt64(span.length), bytes.upperBound)
      guard end > position else { break }
      runs.append(PresenceRun(length: end - position, isHere: isHere))
      position = end
    }
    return runs
  }

  /// Nobody waits for the read any more.
  public mutating func cancel(_ read: ReadID) {
    guard let read = reads[read] else { return }
    end(read, .closed)
    settle()
  }
}
