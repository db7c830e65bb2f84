import Testing

@testable import Metainfo

@Suite struct LibtorrentVectorTests {
  @Test(arguments: LibtorrentVectors.all)
  func reads(vector: LibtorrentVector) throws {
    let torrent = try Torrent(parsing: vector.bytes)
    let info = torrent.info
    #expect(info.infohashV1?.hex ?? "" == vector.v1)
    #expect(info.infohashV2?.hex ?? "" == vector.v2)
    #expect(Self.rows(info) == vector.files)
    let isPrivate = vector.name.contains("private")
    #expect(info.isPrivate == isPrivate)
    #expect(info.pieceLength == (isPrivate || vector.name.contains("executable") ? 32_768 : 16_384))
    #expect(
      Set(torrent.pieceLayers.keys)
        == Set(info.files.filter { $0.length > info.pieceLength }.compactMap(\.piecesRoot)))
  }

  /// What we write from what we read is what libtorrent wrote.
  @Test(arguments: LibtorrentVectors.all)
  func writesTheSame(vector: LibtorrentVector) throws {
    let torrent = try Torrent(parsing: vector.bytes)
    var description = TorrentDescription(torrent)
    // In a v2 torrent a folder with one file cannot be told from that file.
    if vector.name == "folder with one file, v2" { description.isSingleFile = false }
    if vector.name.contains("no tail padding") {
      // The one kind that is read and not written.
      #expect(try description.encoded().bytes != vector.bytes)
      return
    }
    #expect(try description.encoded().bytes == vector.bytes)
  }

  /// As `LibtorrentVector.files` has them.
  private static func rows(_ info: InfoDictionary) -> [String] {
    let top = info.isSingleFile ? "" : "\(info.name)/"
    // libtorrent has offsets for v2 torrents too, as if they had padding.
    let layout =
      info.v1Layout
      ?? V1Layout(
        lengths: info.files.map(\.length), pieceLength: info.pieceLength, padding: .afterFiles)
    return zip(info.files, layout?.offsets ?? []).map { file, offset in
      var flags = ""
      if file.attributes.contains(.executable) { flags += "x" }
      if file.attributes.contains(.hidden) { flags += "h" }
      if file.symlinkTarget != nil { flags += "l" }
      let target = file.symlinkTarget.map { " \(top)\($0)" } ?? ""
      let place = file.length == 0 ? "-" : "\(offset)"
      return "\(top)\(file.path) \(file.length) \(place) \(flags.isEmpty ? "-" : flags)\(target)"
    }
  }
}

extension TorrentDescription {
  /// The description of a torrent that was read.
  init(_ torrent: Torrent) {
    let info = torrent.info
    self.init(
      kind: info.kind, name: info.name, isSingleFile: info.isSingleFile,
      pieceLength: info.pieceLength, files: info.files, pieceLayers: torrent.pieceLayers,
      v1Pieces: info.v1Pieces)
    isPrivate = info.isPrivate
    trackers = torrent.trackers
    webSeeds = torrent.webSeeds
    comment = torrent.comment.map { String(decoding: $0, as: UTF8.self) }
    createdBy = torrent.createdBy.map { String(decoding: $0, as: UTF8.self) }
    creationDate = torrent.creationDate
    source = info.source.map { String(decoding: $0, as: UTF8.self) }
  }
}
