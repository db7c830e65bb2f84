import Metainfo
import SwarmNode
import Testing

/// Keeps versions of these numbers, of one file, and the head of the last; `here` says whose torrents are known.
func keepVersions(
  _ numbers: [UInt64], of secret: DatasetSecret, in state: StateFolder,
  here: (UInt64) -> Bool = { _ in true }
) throws {
  var previous: SHA256Digest?
  for number in numbers {
    let name = try PathElement(Array("data".utf8))
    var description = TorrentDescription(
      kind: .v2, name: name, isSingleFile: true, pieceLength: 16_384,
      files: [
        FileEntry(
          path: try ContentPath([name]), length: 1,
          piecesRoot: SHA256Digest(hashing: Array("\(number)".utf8)))
      ])
    description.version = VersionInfo(number: number, previous: previous)
    let info = try description.infoDictionary()
    previous = info.infohashV2
    if here(number) { try state.keep(KnownTorrent(info: info, pieceLayers: [:])) }
  }
  let head = try Head(
    version: Int64(try #require(numbers.last)), infohash: try #require(previous),
    signedBy: secret)
  _ = try state.dataset(secret.key).keep(head: head)
}
