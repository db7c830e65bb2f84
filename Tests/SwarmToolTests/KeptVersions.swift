import Metainfo
import SwarmNode
import Testing

/// Keeps versions of these numbers, of one file, and the head of the last; `here` says whose torrents are known. Which
/// infohash a number has is kept of the last, or of all, as a follower of all of them does.
func keepVersions(
  _ numbers: [UInt64], of secret: DatasetSecret, in state: StateFolder,
  wereFollowed: Bool = false, here: (UInt64) -> Bool = { _ in true }
) throws {
  let dataset = state.dataset(secret.key)
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
    let infohash = try #require(info.infohashV2)
    previous = infohash
    if wereFollowed { try dataset.keep(version: number, infohash: infohash) }
    if here(number) { try state.keep(KnownTorrent(info: info, pieceLayers: [:])) }
  }
  let head = try Head(
    version: Int64(try #require(numbers.last)), infohash: try #require(previous),
    signedBy: secret)
  _ = try dataset.keep(head: head)
}
