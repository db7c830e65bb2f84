import Metainfo
import Swarm
import SwarmNode

/// Old versions of which there is no content here, but what they are: shared so that those who walk down a
/// dataset's versions find their way, and see what was when. They are not announced: who looks for such a
/// version to have it finds nothing here, and who walks asks the dataset's peers (`VersionSearch`).
enum MetadataShare {
  /// Versions at the most: each is a torrent of its own.
  private static let mostVersions = 64
  /// Bytes of info dictionaries at the most: what they describe takes a few times as much of memory.
  private static let mostBytes = 8 << 20

  /// The newest of those that are known, but for some.
  static func versions(
    of dataset: KeyedDataset, except shared: Set<UInt64>, state: StateFolder
  ) -> [Member.Other] {
    guard let newest = ((try? dataset.followedHead { _ in }) ?? nil)?.version,
      let numbers = try? dataset.versions()
    else { return [] }
    var others: [Member.Other] = []
    var bytes = 0
    for number in numbers.reversed()
    where number < UInt64(newest) && !shared.contains(number) && others.count < mostVersions {
      guard let infohash = dataset.version(number), let kept = state.keptVersion(infohash) else {
        continue
      }
      bytes += kept.torrent.info.bytes.count
      if bytes > mostBytes { break }
      var request = TorrentRequest(
        source: .torrent(kept.torrent.info, kept.torrent.pieceLayers), content: .owned)
      request.wanted = { _, _ in false }
      request.dataset = dataset.key
      request.isAnnounced = false
      // Nothing is ever written there.
      let place = state.path + Array("/metadata/\(infohash.hex)".utf8)
      others.append(
        Member.Other(
          request: request,
          folders: TorrentFolders(
            content: place + Array("/content".utf8), maps: place + Array("/blocks".utf8)),
          version: nil, holder: nil, described: number))
    }
    return others
  }
}
