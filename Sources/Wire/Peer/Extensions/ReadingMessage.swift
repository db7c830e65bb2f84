/// Blocks that the sender has, or has asked for because somebody reads them there, and that it gives
/// to whoever asks, although it may not have their pieces. Our own extension, `sw_reads`;
/// docs/reads.md.
///
/// The payload is 12 bytes for each run of blocks, as in `request` (BEP 3): piece, offset in the
/// piece, length.
public struct ReadingMessage: Hashable, Sendable {
  /// Bytes of a run in the payload.
  public static let runByteCount = 12
  /// The runs, as they came: whether there are such blocks is for `PieceGeometry` to say.
  public var runs: [BlockRequest]

  /// A message about these runs.
  public init(runs: [BlockRequest]) { self.runs = runs }

  /// Reads the payload, from behind the extension's number.
  public init(payload: RawSpan) throws(ExtensionError) {
    let count = payload.byteCount / Self.runByteCount
    guard count <= WireLimits.readRuns else {
      throw ExtensionError(message: .reads, offset: 0, reason: .tooLong("", payload.byteCount))
    }
    guard payload.byteCount == count * Self.runByteCount else {
      let whole = (count + 1) * Self.runByteCount
      throw ExtensionError(
        message: .reads, offset: count * Self.runByteCount,
        reason: .length(found: payload.byteCount, expected: whole))
    }
    runs = []
    runs.reserveCapacity(count)
    for start in stride(from: 0, to: payload.byteCount, by: Self.runByteCount) {
      runs.append(
        BlockRequest(
          piece: Self.number(payload, start), begin: Self.number(payload, start + 4),
          length: Self.number(payload, start + 8)))
    }
  }

  private static func number(_ payload: RawSpan, _ offset: Int) -> UInt32 {
    UInt32(
      bigEndian: payload.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }

  /// The payload, behind the extension's number. Precondition: at most `WireLimits.readRuns` runs.
  public var encoded: [UInt8] {
    precondition(runs.count <= WireLimits.readRuns)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(runs.count * Self.runByteCount)
    for run in runs {
      for number in [run.piece, run.begin, run.length] {
        withUnsafeBytes(of: number.bigEndian) { bytes += $0 }
      }
    }
    return bytes
  }
}
