import Metainfo
import SwarmNode

extension Teller {
  /// Says what became of the boot trace of an export, as `NBDServer.onTrace` tells it.
  func tell(_ use: TraceUse, of export: BlockExport) {
    var (ranges, bytes, isCut) = (0, UInt64(0), false)
    var fault: String?
    switch use {
    case .used(let count, let length, let cut):
      (ranges, bytes, isCut) = (count, length, cut)
      note(
        "boot trace: \(Quantity.bytes(bytes)) in \(Quantity.count(ranges, "range")) are fetched ahead"
          + (isCut ? ", which is not all that it names" : ""))
    // The node's log has the line.
    case .unusable(let reason): fault = reason
    }
    event(
      "trace",
      [
        ("export", .text(printable(export.names.first ?? []))),
        ("ranges", .number(UInt64(ranges))), ("bytes", .number(bytes)), ("cut", .bool(isCut)),
        ("fault", .text(orNull: fault)),
      ])
  }
}
