import Metainfo
import Swarm
import SwarmNode
import Wire

/// Files of the datasets as block devices.
extension Roster {
  /// A torrent of a dataset, as the node has it.
  struct Opened {
    let torrent: TorrentID
    let info: InfoDictionary
    let version: UInt64?
  }

  func isOffering(_ torrent: TorrentID) -> Bool {
    devices.exports.contains { $0.torrent == torrent } || devices.isReading(torrent)
  }

  /// A version of a dataset that is taken part in; without a number the one that it is about.
  func opened(_ version: UInt64?, of entry: Entry) -> Opened? {
    guard let member = entry.member else { return nil }
    let own = member.subject?.version() ?? member.info?.version?.number
    if version == nil || version == own, let torrent = member.torrent, let info = member.info {
      return Opened(torrent: torrent, info: info, version: own)
    }
    // Of the newest one may not be known yet what is in it: then it is the newest that is here.
    guard let version = version ?? member.besides.compactMap(\.version).max(),
      let key = member.plan.dataset?.key ?? member.plan.search?.key,
      let shared = member.besides.first(where: { $0.version == version }),
      let infohash = state.dataset(key).version(version),
      let kept = state.keptVersion(infohash)
    else { return nil }
    return Opened(torrent: shared.torrent, info: kept.torrent.info, version: version)
  }

  /// What is offered is what is wished for and can be read.
  func updateDevices() {
    devices.exports = record.exports.compactMap { wish in
      guard let entry = entries.first(where: { $0.id == wish.dataset }),
        let opened = opened(wish.version, of: entry),
        let file = opened.info.files.firstIndex(where: { $0.path.bytes == wish.path })
      else { return nil }
      return device(
        opened, file, names: names(of: wish),
        readTimeout: wish.readTimeout.map { .seconds(Int($0)) })
    }
  }

  /// A file that nobody has exported, by KEY[@VERSION]/path: whoever may use the socket may read all.
  func device(named name: [UInt8]) -> BlockExport? {
    guard let slash = name.firstIndex(of: UInt8(ascii: "/")) else { return nil }
    let parts = name[..<slash].split(separator: UInt8(ascii: "@"), maxSplits: 1)
    guard let first = parts.first, let id = String(validating: first, as: UTF8.self),
      let entry = entries.first(where: { $0.id == id })
    else { return nil }
    var version: UInt64?
    if parts.count > 1 {
      guard let number = UInt64(String(decoding: parts[1], as: UTF8.self)) else { return nil }
      version = number
    }
    let path = name[(slash + 1)...]
    guard let opened = opened(version, of: entry),
      let file = opened.info.files.firstIndex(where: { $0.path.bytes.elementsEqual(path) }),
      opened.info.files[file].length > 0
    else { return nil }
    return device(opened, file, names: [name], readTimeout: nil)
  }

  /// A file as a block device. What is read of it is recorded; it is fetched by the boot trace that the
  /// version has.
  private func device(
    _ opened: Opened, _ file: Int, names: [[UInt8]], readTimeout: Duration?
  ) -> BlockExport {
    var export = BlockExport(
      names: names, description: printable(opened.info.name.bytes), torrent: opened.torrent,
      file: file, size: opened.info.files[file].length, readTimeout: readTimeout)
    export.recordings = state.recordedTraces(DatasetName(opened.info))
    export.trace = TracePlace.trace(forFileAt: file, in: opened.info)
    return export
  }

  func names(of wish: RosterRecord.Export) -> [[UInt8]] {
    let number = wish.version.map { "@\($0)" } ?? ""
    let full = Array("\(wish.dataset)\(number)/".utf8) + wish.path
    return wish.name.map { [$0, full] } ?? [full]
  }
}
