/// Which files are worth compressing: learnt from what came of their blocks.
///
/// A file is tried with its first blocks. Where they save less than an eighth together, its blocks go as they are,
/// but for one now and then: the pause doubles each time that saves nothing. What has been tried long ago counts
/// less and less, so that a file of several kinds is judged by what was asked for lately.
public struct CompressionPolicy<File: Hashable & Sendable>: Sendable {
  /// What is known of a file.
  private struct Judgment {
    /// Bytes of blocks that were tried, and what was saved of them; older ones count less.
    var bytes: UInt64 = 0
    var saved: UInt64 = 0
    /// How many were tried, up to the number of samples.
    var tried: UInt32 = 0
    /// Blocks that go by before one is tried, and how many have.
    var pause: UInt32 = 1
    var passed: UInt32 = 0

    var isWorthIt: Bool { tried < CompressionLimits.samples || saved * 8 >= bytes }
  }

  private var files: [File: Judgment] = [:]
  /// Files in the order in which they came, the oldest at `oldest`.
  private var order: [File] = []
  private var oldest = 0

  /// Nothing is known.
  public init() {}

  /// Whether the next block of `file` is to be tried. Each call counts as a block.
  public mutating func shouldTry(_ file: File) -> Bool {
    guard var judgment = files[file] else {
      add(file)
      return true
    }
    if judgment.isWorthIt { return true }
    judgment.passed += 1
    let isDue = judgment.passed >= judgment.pause
    if isDue { judgment.passed = 0 }
    files[file] = judgment
    return isDue
  }

  /// A block of so many bytes was tried; its frame has `frameByteCount`, nil where it was not worth sending.
  public mutating func learn(_ file: File, blockByteCount: Int, frameByteCount: Int?) {
    guard var judgment = files[file] else { return }
    let saved = max(0, blockByteCount - (frameByteCount ?? blockByteCount))
    if judgment.bytes >= 64 * UInt64(WireLimits.blockBytes) {
      judgment.bytes /= 2
      judgment.saved /= 2
    }
    judgment.tried = min(judgment.tried + 1, CompressionLimits.samples)
    judgment.bytes += UInt64(blockByteCount)
    judgment.saved += UInt64(saved)
    if saved * 8 < blockByteCount {
      judgment.pause = min(2 * judgment.pause, CompressionLimits.longestPause)
    } else if !judgment.isWorthIt {
      // One that does compress, in a file that did not: look again sooner.
      judgment.pause = max(1, judgment.pause / 4)
    }
    if judgment.isWorthIt { judgment.pause = 1 }
    files[file] = judgment
  }

  /// Forgets what will not be asked for any more.
  public mutating func forget(where isGone: (File) -> Bool) {
    files = files.filter { !isGone($0.key) }
    order = order[oldest...].filter { !isGone($0) }
    oldest = 0
  }

  /// How many files it knows something of: at most 4,096.
  public var count: Int { files.count }

  private mutating func add(_ file: File) {
    if files.count >= CompressionLimits.files {
      files[order[oldest]] = nil
      oldest += 1
      if oldest >= CompressionLimits.files {
        order.removeFirst(oldest)
        oldest = 0
      }
    }
    files[file] = Judgment()
    order.append(file)
  }
}

/// How much work compression may take on one link: the slower it is, the more.
///
/// Told every now and then what went out and how long bytes waited that the system would not take. Only a link on
/// which bytes waited nearly all the time is what holds things up; where they did not half of it, compression may be,
/// so its level falls. But
/// where little goes out, the lowest level stays: it costs next to nothing, and an answer that is shorter comes sooner.
public struct LinkEffort: Hashable, Sendable {
  /// Levels of libzstd, from none upward, each with the fastest link on which it keeps up, in bytes a second: at
  /// less than half of a core, but for level 1: it takes more than a core at its fastest. For text, by the figures
  /// in docs/compression.md.
  private static let steps: [(level: Int32?, fastest: Double)] = [
    (nil, .infinity), (1, 100e6), (3, 25e6), (6, 6e6), (9, 2e6),
  ]

  /// Bytes a second up to which the lowest level stays although nothing waits: text at that rate takes a quarter of
  /// a core.
  private static let little = 20e6

  /// Place in `steps`. New links may try: most people's are slow.
  private var step: Int
  /// The place where it stays when little goes out and nothing waits.
  private let least: Int

  /// A link of which nothing is known, but for whether it is within one machine: there nothing is compressed until
  /// bytes have waited.
  public init(isFast: Bool = false) {
    least = isFast ? 0 : 1
    step = least
  }

  /// The level; nil for blocks as they are.
  public var level: Int32? { Self.steps[step].level }

  /// In `interval`, `byteCount` bytes went out, and for `blocked` of it more were waiting for the line.
  public mutating func report(byteCount: Int, blocked: Duration, interval: Duration) {
    guard interval > .zero, blocked >= .zero, byteCount >= 0 else { return }
    // Nothing was sent and nothing waited: nothing is learnt.
    if byteCount == 0 && blocked == .zero { return }
    let rate = Double(byteCount) / (interval / .seconds(1))
    if blocked * 2 < interval {
      step = max(rate <= Self.little ? least : 0, step - 1)
      return
    }
    // What the line takes, and not what it got: it may have waited for compression, the longer the more that tries.
    let speed = Double(byteCount) / (blocked / .seconds(1))
    let target = Self.steps.lastIndex { speed <= $0.fastest } ?? 0
    if target <= step {
      step = target
    } else if blocked * 8 >= interval * 7 {
      step += 1
    }
  }
}
