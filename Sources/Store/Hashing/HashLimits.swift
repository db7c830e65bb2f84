/// Sizes that bound the memory of bulk hashing, each with its reason.
public enum HashLimits {
  /// Bytes of a segment of hash trees, where memory allows: fewer, larger maps of the file cost
  /// less. Measured best among 256 KiB to 8 MiB.
  public static let segmentBytes = 4 << 20
  /// Bytes of a segment at the least: 32 blocks fill the 16 lanes of the hash twice.
  public static let leastSegmentBytes = 512 << 10
  /// Bytes of a segment at the most, where SHA-1 lanes want whole pieces side by side: two threads
  /// stay at half of the 64 MiB that the program may hold. Larger pieces are hashed one by one.
  public static let laneBytes = 16 << 20
  /// Bytes of a job at the least, unless there are no more. A job wakes the loop, which takes a core
  /// from the hash: with 2 MiB it cost a tenth of the time, and above 8 MiB the last job of one
  /// thread keeps the others waiting.
  public static let jobBytes = 8 << 20
  /// Segments in a job at the most: many small files share a job.
  public static let jobSegments = 128
  /// Full jobs whose results may wait for an earlier, slower one: a digest costs 32 bytes, a job at
  /// most a few kilobytes, so all of them stay below a few megabytes.
  public static let jobsAhead = 64
}
