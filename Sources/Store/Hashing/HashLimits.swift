/// Sizes that bound the memory of bulk hashing, each with its reason.
public enum HashLimits {
  /// Bytes of a segment: 128 blocks fill the 16 lanes of the hash eight times over, and two
  /// threads' segments fit the second-level caches. Measured best among 256 KiB to 4 MiB.
  public static let segmentBytes = 2 << 20
  /// Bytes of a segment at the most where SHA-1 lanes want whole pieces side by side: two threads
  /// stay below half of the 64 MiB that the program may hold. Larger pieces are hashed one by one.
  public static let laneBytes = 16 << 20
  /// Bytes of a job at the least, unless there are no more: a job costs a few microseconds.
  public static let jobBytes = 2 << 20
  /// Segments in a job at the most: many small files share a job.
  public static let jobSegments = 128
  /// Full jobs whose results may wait for an earlier, slower one: a digest costs 32 bytes, a job at
  /// most a few kilobytes, so all of them stay below a few megabytes.
  public static let jobsAhead = 64
}
