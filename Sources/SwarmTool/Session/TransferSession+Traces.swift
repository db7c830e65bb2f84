import Metainfo
import SwarmNode

/// Boot traces of the files that are offered.
extension TransferSession {
  /// The export, with where its boots are recorded and by which trace is fetched.
  func withTraces(
    _ export: BlockExport, of info: InfoDictionary, _ wanted: Exports
  ) -> BlockExport {
    var export = export
    export.recordings = (try? options.stateFolder())?.recordedTraces(DatasetName(info))
    if wanted.usesTraces { export.trace = TracePlace.trace(forFileAt: export.file, in: info) }
    return export
  }

  /// Says what became of a boot trace.
  func tell(_ use: TraceUse, of export: BlockExport) {
    let name = printable(export.names.first ?? [])
    switch use {
    case .used(let ranges, let bytes, let isCut):
      display.event(
        "trace",
        [
          ("export", .text(name)), ("ranges", .number(UInt64(ranges))), ("bytes", .number(bytes)),
          ("cut", .bool(isCut)), ("fault", .null),
        ])
      display.note(
        "boot trace: \(Quantity.bytes(bytes)) in \(Quantity.count(ranges, "range")) are fetched ahead"
          + (isCut ? ", which is not all that it names" : ""))
    case .unusable(let fault):
      display.event(
        "trace",
        [
          ("export", .text(name)), ("ranges", .number(0)), ("bytes", .number(0)),
          ("cut", .bool(false)), ("fault", .text(fault)),
        ])
    }
  }
}
