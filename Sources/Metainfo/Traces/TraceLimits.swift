/// Bounds on boot traces, each with its reason.
public enum TraceLimits {
  /// Reads in a trace. Debian reads 12 MiB until python3 runs, which is 3,000 reads if each has 4 KiB;
  /// twenty times as many are enough for any boot, and 1.5 MiB in memory.
  public static let reads = 1 << 16
  /// Milliseconds from the start to the last read, an hour: what is read later is no boot.
  public static let milliseconds: UInt32 = 3_600_000
  /// Bytes in an encoded trace: every read at its longest, head and checksum.
  public static let bytes = 9 + 2 * 8 + reads * (4 + 8 + 7) + SHA256Digest.byteCount
  /// Milliseconds within which reads that follow each other in the file are one, so that a long run
  /// is short in the trace and still has its pace.
  public static let mergeMilliseconds: UInt32 = 100
  /// Runs that may grow at the same time: a guest reads several files at once.
  public static let growingReads = 8
}
