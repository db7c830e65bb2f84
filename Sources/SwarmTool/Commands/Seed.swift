import ArgumentParser
import Glibc
import Metainfo
import Store
import Swarm
import SwarmNode
import Wire

/// `swarm seed`: shares a folder, a file, or what a .torrent describes.
struct Seed: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Share a folder, a file or the content of a .torrent.",
    discussion: """
      Prints the link to pass on, and shares until it is told to stop (Ctrl-C). The content stays \
      where it is and is never written to. What was hashed once is not hashed again while nobody \
      writes to it.
      """)

  @Argument(help: "The folder or file to share, or a .torrent.", completion: .file())
  var path: BytePath

  @Option(
    help: """
      For a .torrent, the folder that contains its content by its name. (default: the .torrent's own)
      """, completion: .directory)
  var data: BytePath?

  @Option(help: "The dataset's name. (default: the name of the folder or file)")
  var name: BytePath?

  @Option(help: "Which BitTorrent: v2, hybrid or v1. (default: v2)")
  var format: TorrentKind?

  @Option(help: "Bytes in a piece, a power of two from 16K to 256M, or \"auto\". (default: auto)")
  var pieceLength: PieceLength?

  @OptionGroup var options: NodeOptions

  func run() throws {
    let display = StatusDisplay(isJSON: options.isJSON)
    let source = try source(display)
    var request = TorrentRequest(
      source: .torrent(source.torrent.info, source.torrent.pieceLayers), content: source.trust)
    // Nothing may be fetched into what is not ours; what is wrong in it is just not there.
    if !source.isWhole { request.wanted = { _, _ in false } }
    let folders = try Failure.wrap {
      try TorrentFolders.inPlace(
        source.torrent.info, at: source.content, maps: source.folder.mapsPath)
    }
    let plan = TransferSession.Plan(
      request: { request }, folders: { _, _ in folders }, peers: options.peers.map(\.address),
      isSeed: true, endsWhenFinished: false, content: { source.content },
      recheck: source.isNew ? source.recheck : nil
    ) { display, endpoints in
      try announce(source, endpoints, display)
    }
    try TransferSession(plan, options: options, display: display).run()
    withExtendedLifetime(source) {}
  }

  private func source(_ display: StatusDisplay) throws -> SeedSource {
    let state = try options.stateFolder()
    if isTorrent(path.bytes) {
      if name != nil || format != nil || pieceLength != nil {
        throw Failure(
          "\(printable(path.bytes)) is a .torrent: --name, --format and --piece-length are for folders "
            + "and files")
      }
      let bytes = try Failure.wrap {
        try WholeFile.read(path.bytes, limit: BencodeLimits.torrent.bytes)
      }
      let torrent = try Failure.wrap("\(printable(path.bytes)): ") { try Torrent(parsing: bytes) }
      return try .ofTorrent(
        torrent, place: data?.bytes ?? path.bytes.folder, state: state, display: display)
    }
    if data != nil {
      throw Failure(
        "--data is for a .torrent, and \(printable(path.bytes)) does not end in .torrent")
    }
    let name = try self.name?.bytes ?? Failure.wrap { try RealPath.lastName(of: path.bytes) }
    do { _ = try PathElement(name) } catch { throw Failure("\(ImportError.name(name, error))") }
    return try .ofContent(
      path.bytes, name: name,
      options: ImportOptions(kind: format ?? .v2, pieceLength: pieceLength?.bytes), state: state,
      display: display)
  }

  private func isTorrent(_ path: [UInt8]) -> Bool {
    let ending = String(decoding: path.suffix(8), as: UTF8.self)
    var status = stat()
    return ending.lowercased() == ".torrent"
      && stat(path.map { CChar(bitPattern: $0) } + [0], &status) == 0
      && status.st_mode & S_IFMT != S_IFDIR
  }

  private func announce(
    _ source: SeedSource, _ endpoints: [PeerEndpoint], _ display: StatusDisplay
  ) throws {
    let info = source.torrent.info
    let link = MagnetLink(
      v1Infohash: info.infohashV1, v2Infohash: info.infohashV2, name: info.name.bytes)
    let summary = InfoSummary(info)
    display.event(
      "started",
      summary.json + [
        ("magnet", .text(link.uri)), ("path", .text(printable(source.content))),
        ("listening", .list(endpoints.map { .text("\($0)") })),
      ])
    try display.result(
      table(
        summary.rows + [
          ("path", printable(source.content)), ("link", link.uri),
          ("listening at", endpoints.map(\.description).joined(separator: ", ")),
        ]))
  }
}

extension [UInt8] {
  /// The folder that a path lies in, as the path has it.
  var folder: [UInt8] {
    lastIndex(of: UInt8(ascii: "/")).map { Array(self[...$0]) } ?? Array(".".utf8)
  }
}
