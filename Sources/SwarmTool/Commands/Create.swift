import ArgumentParser
import Metainfo
import Store
import SwarmNode

/// `swarm create`: from a folder or file to a .torrent.
struct Create: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "create",
    abstract: "Make a .torrent of a folder, a file or a disk image.",
    discussion: """
      The same content with the same options always gives the same infohash. What a torrent cannot \
      hold, such as an empty folder or a socket, is reported and left out.
      """)

  @Argument(help: "The folder or file to share.", completion: .file())
  var path: BytePath

  @Option(
    name: [.short, .customLong("output")],
    help: "Where to write the torrent; an existing file is replaced. (default: NAME.torrent here)",
    completion: .file())
  var output: BytePath?

  @Option(help: "The dataset's name. (default: the name of the folder or file)")
  var name: BytePath?

  @Option(help: "The BitTorrent version.")
  var format: TorrentKind = .v2

  @Option(help: "Bytes in a piece, a power of two from 16K to 256M, or \"auto\".")
  var pieceLength: PieceLength = .auto

  @Option(
    name: .customLong("tracker"),
    help: "URL of a tracker (for other clients: swarm asks none); can be repeated.")
  var trackers: [ArgumentURL] = []

  @Option(
    name: .customLong("web-seed"),
    help: "URL that serves the content (for other clients: swarm asks none); can be repeated.")
  var webSeeds: [ArgumentURL] = []

  @Option(help: "A remark for people; it does not change the infohash.")
  var comment: BytePath?

  @Flag(
    name: .customLong("private"),
    help: """
      Mark it as private (BEP 27): clients take peers from its trackers alone. This hides nothing; swarm \
      seed --private does.
      """)
  var isPrivate = false

  @Flag(name: .customLong("json"), help: "Print one JSON object (docs/json.md).")
  var isJSON = false

  func validate() throws {
    if output?.bytes == [UInt8(ascii: "-")] {
      throw ValidationError(
        "-o - : a torrent is written to a file, not to standard output; ./- is one of that name")
    }
    if case .exactly(let bytes) = pieceLength,
      bytes < 16 << 10 || bytes > 256 << 20 || bytes.nonzeroBitCount != 1
    {
      throw ValidationError("--piece-length \(bytes): a power of two from 16K to 256M, or auto")
    }
    if let comment, String(validating: comment.bytes, as: UTF8.self) == nil {
      throw ValidationError("the comment \(printable(comment.bytes)) is not UTF-8")
    }
  }

  func run() throws {
    let name = try self.name?.bytes ?? Failure.wrap { try RealPath.lastName(of: path.bytes) }
    do { _ = try PathElement(name) } catch { throw Failure("\(ImportError.name(name, error))") }
    let target = self.output?.bytes ?? name + Array(".torrent".utf8)
    try refuse(target, inside: path.bytes)
    try Failure.wrap { try WholeFile.checkTarget(target, sparing: path.bytes) }
    let source = try Failure.wrap {
      try ContentImport(
        path: path.bytes, name: name,
        options: ImportOptions(kind: format, pieceLength: pieceLength.bytes))
    }
    for warning in source.warnings { Console.warn("\(warning)") }
    var description = try source.hash()
    description.isPrivate = isPrivate
    description.trackers = trackers.map { [$0.text] }
    description.webSeeds = webSeeds.map(\.text)
    description.comment = comment.map { String(decoding: $0.bytes, as: UTF8.self) }
    description.createdBy = "swarm \(SwarmTool.configuration.version)"
    let encoded = try Failure.wrap { try description.encoded() }
    try write(encoded.bytes, to: target)
    try report(encoded.info, torrent: target, warnings: source.warnings)
  }

  /// A torrent inside of what it describes would change it, and the folder is not ours to write to.
  private func refuse(_ target: [UInt8], inside path: [UInt8]) throws(Failure) {
    let slash = target.lastIndex(of: UInt8(ascii: "/"))
    let folder = slash.map { Array(target[...$0]) } ?? Array(".".utf8)
    let (content, place) = try Failure.wrap {
      (try RealPath.resolve(path), try RealPath.resolve(folder))
    }
    let slashed = content.last == UInt8(ascii: "/") ? content : content + [UInt8(ascii: "/")]
    if place == content || place.starts(with: slashed) {
      throw Failure(
        "\(printable(target)) would lie inside the folder that it describes; use -o to put it "
          + "elsewhere")
    }
  }

  /// A path that the user gave is replaced; one that we chose only by the same torrent again.
  private func write(_ bytes: [UInt8], to target: [UInt8]) throws(Failure) {
    if output == nil, (try? WholeFile.read(target, limit: bytes.count)) == bytes { return }
    do {
      try WholeFile.write(bytes, to: target, keepsExisting: output == nil)
    } catch  where error.isAlreadyThere {
      throw Failure("\(printable(target)) is already there; use -o to replace it")
    } catch {
      throw Failure(error.description)
    }
  }

  private func report(_ info: InfoDictionary, torrent: [UInt8], warnings: [ImportWarning])
    throws(Failure)
  {
    let link = MagnetLink(
      v1Infohash: info.infohashV1, v2Infohash: info.infohashV2, name: info.name.bytes,
      trackers: trackers.map(\.text), webSeeds: webSeeds.map(\.text))
    if isJSON {
      let summary = InfoSummary(info).json
      let more: [(String, JSON)] = [
        ("torrent", .text(printable(torrent))), ("magnet", .text(link.uri)),
        ("warnings", .list(warnings.map { .text($0.description) })),
      ]
      try Console.result(JSON.object(summary + more).rendered)
      return
    }
    let rows = InfoSummary(info).rows
    try Console.result(table(rows + [("torrent", printable(torrent)), ("link", link.uri)]))
  }
}

/// `--piece-length`.
enum PieceLength: ExpressibleByArgument, CustomStringConvertible {
  case auto
  case exactly(UInt64)

  init?(argument: String) {
    if argument == "auto" {
      self = .auto
    } else if let size = ByteSize(argument: argument) {
      self = .exactly(size.bytes)
    } else {
      return nil
    }
  }

  var bytes: UInt64? { if case .exactly(let bytes) = self { bytes } else { nil } }

  var description: String { bytes.map(String.init) ?? "auto" }
}

extension TorrentKind: ExpressibleByArgument {}
