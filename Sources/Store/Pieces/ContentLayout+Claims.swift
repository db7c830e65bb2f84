import Metainfo

/// The beginning of a block map's file.
public struct BlockMapFile: Hashable, Sendable {
  /// What the file is called in the folder of block maps.
  public let name: BlockMapName
  /// What is in it.
  public let bytes: [UInt8]
}

extension ContentLayout {
  /// Block maps that say of these files, by their place in the torrent, that their bytes are there and
  /// that nobody has hashed them yet: for files that somebody else put where the content goes. The
  /// store examines them before it uses them; all other files it takes for missing.
  public func claims(ofFilesAt places: Set<Int>) -> [BlockMapFile] {
    maps.compactMap { map in
      let none = BlockSet(capacity: map.blocks.count)
      var claimed = none
      for file in map.files where places.contains(Int(file.rawValue)) {
        claimed.formUnion(members(of: file))
      }
      // A block that another file has a part of is there only if that file is too.
      for file in map.files where !places.contains(Int(file.rawValue)) {
        claimed.subtract(members(of: file))
      }
      guard !claimed.isEmpty else { return nil }
      let slot = BlockMapSlot(
        generation: 1, isClean: false, evidence: [], verified: none, claimed: claimed)
      return BlockMapFile(name: map.name, bytes: slot.encoded(map.identity))
    }
  }
}
