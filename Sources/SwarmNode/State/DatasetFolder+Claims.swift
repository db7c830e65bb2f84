import Metainfo
import Store

extension DatasetFolder {
  /// Forgets what the block maps say, and says instead that the bytes of these files, by their place
  /// in the torrent, are there and must be examined before they are used.
  public func claim(filesAt places: [Int], of info: InfoDictionary) throws {
    try forgetMaps()
    let layout = try ContentLayout(info)
    for map in layout.claims(ofFilesAt: Set(places)) {
      try WholeFile.write(map.bytes, to: mapsPath.appending(path: Array(map.name.text.utf8)))
    }
  }
}
