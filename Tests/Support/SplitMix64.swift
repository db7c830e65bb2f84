/// A small generator with a seed: a test that fails names its seed, and fails again with it
/// (Steele, Lea, Flood 2014).
public struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64

  /// The same numbers from the same seed, everywhere.
  public init(seed: UInt64) { state = seed }

  /// The next number.
  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// Random bytes; with few bits in `mask`, such as compress.
  public mutating func bytes(_ count: Int, mask: UInt8 = 0xff) -> [UInt8] {
    // By hand: tests draw megabytes of them, and are not optimised.
    [UInt8](unsafeUninitializedCapacity: count) { bytes, filled in
      while filled < count {
        (bytes.baseAddress! + filled).initialize(to: UInt8(truncatingIfNeeded: next()) & mask)
        filled += 1
      }
    }
  }

  /// Whether something with a chance of one in `n` happens.
  public mutating func oneIn(_ n: Int) -> Bool { Int.random(in: 0..<n, using: &self) == 0 }
}
