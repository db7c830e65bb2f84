import Metainfo

extension InfoDictionary {
  /// Where the bytes of the torrent are.
  public func geometry() throws(GeometryError) -> PieceGeometry {
    guard let v1Layout else {
      return try PieceGeometry(v2Lengths: files.map(\.length), pieceLength: UInt64(pieceLength))
    }
    let placed = zip(files, v1Layout.offsets).map {
      PieceGeometry.File(length: $0.length, v1Offset: $1)
    }
    return kind.hasV2
      ? try PieceGeometry(
        hybridFiles: placed, v1Length: v1Layout.length, pieceLength: UInt64(pieceLength))
      : try PieceGeometry(
        v1Files: placed, v1Length: v1Layout.length, pieceLength: UInt64(pieceLength))
  }
}

extension ContentLayout {
  /// The layout of a torrent of any kind.
  public init(_ info: InfoDictionary) throws(GeometryError) {
    let geometry = try info.geometry()
    if let infohash = info.infohashV1, !geometry.kind.hasV2 {
      self.init(v1Geometry: geometry, entries: info.files, infoHash: infohash)
    } else {
      self.init(geometry: geometry, entries: info.files)
    }
  }
}
