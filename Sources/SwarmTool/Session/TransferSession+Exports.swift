import Metainfo
import Swarm
import SwarmNode

/// Files as block devices.
extension TransferSession {
  /// What a command wants to be offered.
  struct Exports {
    /// Where clients connect.
    let socket: [UInt8]
    /// How long reads wait; nil for the usual.
    let readTimeout: Duration?
  }

  /// The version that the session is about can be read: its files are offered, before those of others.
  func offerFiles() {
    guard let wanted = plan.exports, let node, let torrent, let info, end == nil else { return }
    do {
      let server = try self.server ?? NBDServer(at: wanted.socket, for: node, log: lines.log(isVerbose: options.isVerbose))
      let isFirst = self.server == nil
      self.server = server
      // A name without a version means the newest one.
      for index in server.exports.indices {
        server.exports[index].names.removeLast(server.exports[index].names.count - 1)
      }
      server.exports.insert(
        contentsOf: exports(of: info, torrent, timeout: wanted.readTimeout), at: 0)
      display.event(
        "exported",
        [
          ("socket", .text(printable(wanted.socket))),
          ("exports", .list(server.exports.map { .text(printable($0.names.first ?? [])) })),
        ])
      if isFirst, plan.machine == nil { display.note("block devices are at \(printable(wanted.socket))") }
    } catch {
      fail(Self.text(of: error))
    }
  }

  /// The files that are not empty, the largest first.
  private func exports(
    of info: InfoDictionary, _ torrent: TorrentID, timeout: Duration?
  ) -> [BlockExport] {
    let version = subject?.version() ?? info.version?.number
    let dataset = plan.dataset?.key ?? plan.search?.key
    let infohash = info.infohashV2?.hex ?? info.infohashV1?.hex ?? ""
    let whole = dataset.map { $0.hex + (version.map { "@\($0)" } ?? "") } ?? infohash
    let newest = dataset?.hex
    return info.files.enumerated().filter { $0.element.length > 0 }
      .sorted { $0.element.length > $1.element.length }
      .map { place, file in
        let path = Array(file.path.elements.map(\.bytes).joined(separator: [UInt8(ascii: "/")]))
        let slash = [UInt8(ascii: "/")]
        var names = [Array(whole.utf8) + slash + path]
        if let newest { names.append(Array(newest.utf8) + slash + path) }
        names.append(path)
        return BlockExport(
          names: names, description: printable(info.name.bytes), torrent: torrent, file: place,
          size: file.length, readTimeout: timeout)
      }
  }
}
