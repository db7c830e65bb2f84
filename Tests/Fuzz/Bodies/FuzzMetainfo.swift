import Metainfo

/// A torrent that is read has a geometry in which everything has its place, and if we can write
/// it, reads back the same.
func fuzzMetainfo(_ bytes: UnsafeRawBufferPointer) {
  let input = Array(bytes)
  check(infoDictionary: input)
  do {
    let inspection = try Torrent.inspect(input)
    let torrent = inspection.torrent
    check(infoDictionary: torrent.info.bytes)
    do {
      let strict = try Torrent(parsing: input)
      precondition(strict.info.bytes == torrent.info.bytes && inspection.layerFaults.isEmpty)
      checkWriting(torrent)
    } catch {
      precondition(!inspection.layerFaults.isEmpty, "\(error)")
    }
    for fault in inspection.layerFaults { precondition(!fault.description.isEmpty) }
  } catch {
    precondition(!error.description.isEmpty)
  }
}

private func check(infoDictionary bytes: [UInt8]) {
  do {
    let info = try InfoDictionary(parsing: bytes)
    precondition(info.bytes == bytes && !info.files.isEmpty)
    precondition(info.infohashV1 == (info.kind.hasV1 ? SHA1Digest(hashing: bytes) : nil))
    precondition(info.infohashV2 == (info.kind.hasV2 ? SHA256Digest(hashing: bytes) : nil))
    for file in info.files { precondition(!file.path.description.isEmpty) }
    checkGeometry(of: info)
  } catch {
    precondition(!error.description.isEmpty)
  }
}

private func checkGeometry(of info: InfoDictionary) {
  do {
    let geometry = try geometry(of: info)
    precondition(geometry.kind == info.kind && geometry.totalLength == info.contentLength)
    precondition(geometry.files.count == info.files.count)
    // Few enough to stay fast, from both ends.
    let pieces = geometry.pieces
    for piece in Array(pieces.prefix(16)) + Array(pieces.suffix(16)) {
      check(piece, in: geometry)
    }
    for file in geometry.files.prefix(64) {
      precondition(geometry.length(of: file) == info.files[Int(file.rawValue)].length)
    }
  } catch {
    preconditionFailure("a torrent without geometry: \(error)")
  }
}

private func geometry(of info: InfoDictionary) throws(GeometryError) -> PieceGeometry {
  let length = UInt64(info.pieceLength)
  guard let layout = info.v1Layout else {
    return try PieceGeometry(v2Lengths: info.files.map(\.length), pieceLength: length)
  }
  let files = zip(info.files, layout.offsets).map {
    PieceGeometry.File(length: $0.length, v1Offset: $1)
  }
  precondition(files.count == info.files.count)
  return info.kind == .v1
    ? try PieceGeometry(v1Files: files, v1Length: layout.length, pieceLength: length)
    : try PieceGeometry(hybridFiles: files, v1Length: layout.length, pieceLength: length)
}

/// A piece is the sum of its spans, and of its blocks'.
private func check(_ piece: PieceIndex, in geometry: PieceGeometry) {
  precondition(geometry.piece(piece.rawValue) == piece)
  let length = geometry.length(of: piece)
  precondition(length > 0 && length <= geometry.pieceLength)
  precondition(geometry.spans(of: piece).reduce(0) { $0 + $1.length } == UInt64(length))
  let blocks = geometry.blocks(of: piece)
  for block in Array(blocks.prefix(4)) + Array(blocks.suffix(4)) {
    precondition(geometry.piece(of: block) == piece && geometry.block(block.rawValue) == block)
    let begin = geometry.begin(of: block)
    let request = geometry.requestLength(of: block)
    precondition(request > 0 && request <= blockLength && begin + request <= length)
    precondition(
      geometry.block(piece: piece.rawValue, begin: begin, length: request) == block)
    precondition(geometry.dataLength(of: block) <= request)
    precondition(geometry.spans(of: block).reduce(0) { $0 + $1.length } == UInt64(request))
  }
}

/// What we write reads the same. All of v2 can be written; of v1, what has our order and padding.
private func checkWriting(_ torrent: Torrent) {
  let info = torrent.info
  // A v2 torrent of one file may have a name that is not the file's; we write none that has.
  let fileName = info.files.first?.path.elements.last
  let name = info.isSingleFile ? fileName ?? info.name : info.name
  var description = TorrentDescription(
    kind: info.kind, name: name, isSingleFile: info.isSingleFile,
    pieceLength: info.pieceLength, files: info.files, pieceLayers: torrent.pieceLayers,
    v1Pieces: info.v1Pieces)
  description.isPrivate = info.isPrivate
  description.trackers = torrent.trackers
  description.webSeeds = torrent.webSeeds
  do {
    let bytes = try description.encoded().bytes
    let again = try Torrent(parsing: bytes)
    precondition(again.info.kind == info.kind && again.info.name == name)
    precondition(again.info.files == info.files && again.info.pieceLength == info.pieceLength)
    precondition(again.info.isPrivate == info.isPrivate)
    precondition(again.info.v1Pieces == info.v1Pieces)
    precondition(again.pieceLayers == torrent.pieceLayers)
    precondition(again.webSeeds == torrent.webSeeds)
    precondition(Array(again.trackers.joined()) == Array(torrent.trackers.joined()))
    let twice = try description.encoded().bytes
    precondition(twice == bytes)
  } catch {
    precondition(info.kind != .v2, "v2, but not written: \(error)")
    precondition(!error.description.isEmpty)
  }
}
