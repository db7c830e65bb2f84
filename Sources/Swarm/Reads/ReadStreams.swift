import Metainfo

/// Readers that go through a file in order, found by where their reads begin. Each has a window that
/// doubles as long as it goes on; what others read, or read elsewhere, does not concern it.
struct ReadStreams {
  /// A reader.
  struct Stream {
    let file: FileIndex
    /// Where its last read ended: the highest so far.
    var next: UInt64
    /// How far ahead of it is fetched.
    var window: UInt64 = 0
    /// Up to where that was done.
    var ahead: UInt64
    /// When it last read, counted in reads.
    var used: UInt64
  }

  private(set) var streams: [Stream] = []
  private var clock: UInt64 = 0

  /// Nobody reads.
  init() {}

  /// Somebody reads `bytes` of a file of `length` bytes. What is to be fetched ahead, if anything.
  mutating func read(
    _ bytes: Range<UInt64>, of file: FileIndex, length: UInt64
  ) -> Range<UInt64>? {
    guard !bytes.isEmpty else { return nil }
    clock += 1
    guard let place = stream(for: bytes, of: file) else {
      begin(bytes, of: file)
      return nil
    }
    streams[place].used = clock
    // Within what it has read: it has not gone on.
    guard bytes.upperBound > streams[place].next else { return nil }
    var stream = streams[place]
    stream.next = bytes.upperBound
    stream.ahead = max(stream.ahead, stream.next)
    defer { streams[place] = stream }
    // Half of the window is left: time for the next one, twice as large.
    guard stream.ahead - stream.next <= stream.window / 2 else { return nil }
    let wish = max(stream.window * 2, 2 * UInt64(bytes.count), ReadLimits.firstWindow)
    stream.window = min(wish, ReadLimits.largestWindow)
    let end = min(length, stream.next + stream.window)
    guard end > stream.ahead else { return nil }
    let range = stream.ahead..<end
    stream.ahead = end
    return range
  }

  /// The one that these bytes go on, the nearest.
  private func stream(for bytes: Range<UInt64>, of file: FileIndex) -> Int? {
    var best: (place: Int, distance: UInt64)?
    for (place, stream) in streams.enumerated() where stream.file == file {
      let start = bytes.lowerBound
      let distance = start < stream.next ? stream.next - start : start - stream.next
      guard distance <= ReadLimits.streamSlack, distance < best?.distance ?? .max else { continue }
      best = (place, distance)
    }
    return best?.place
  }

  private mutating func begin(_ bytes: Range<UInt64>, of file: FileIndex) {
    let stream = Stream(
      file: file, next: bytes.upperBound, ahead: bytes.upperBound, used: clock)
    guard streams.count >= ReadLimits.streams,
      let oldest = streams.indices.min(by: { streams[$0].used < streams[$1].used })
    else {
      streams.append(stream)
      return
    }
    streams[oldest] = stream
  }
}
