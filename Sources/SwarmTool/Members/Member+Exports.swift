import Metainfo
import Swarm
import SwarmNode

/// Files as block devices.
extension Member {
  /// The files of what it is about as block devices, the largest first; without those that are empty.
  /// What is read of them is recorded.
  ///
  /// - Parameter usesTraces: whether is fetched by boot traces that the version has.
  func exports(readTimeout timeout: Duration?, usesTraces: Bool = true) -> [BlockExport] {
    guard let torrent, let info else { return [] }
    let version = subject?.version() ?? info.version?.number
    let dataset = plan.dataset?.key ?? plan.search?.key
    let infohash = info.infohashV2?.hex ?? info.infohashV1?.hex ?? ""
    let whole = dataset.map { $0.hex + (version.map { "@\($0)" } ?? "") } ?? infohash
    let newest = dataset?.hex
    let recordings = state.recordedTraces(DatasetName(info))
    return info.files.enumerated().filter { $0.element.length > 0 }
      .sorted { $0.element.length > $1.element.length }
      .map { place, file in
        let path = Array(file.path.elements.map(\.bytes).joined(separator: [UInt8(ascii: "/")]))
        let slash = [UInt8(ascii: "/")]
        var names = [Array(whole.utf8) + slash + path]
        if let newest { names.append(Array(newest.utf8) + slash + path) }
        names.append(path)
        var export = BlockExport(
          names: names, description: printable(info.name.bytes), torrent: torrent, file: place,
          size: file.length, readTimeout: timeout)
        export.recordings = recordings
        if usesTraces { export.trace = TracePlace.trace(forFileAt: place, in: info) }
        return export
      }
  }
}
