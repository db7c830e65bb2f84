import Metainfo
import SwarmNode
import Wire

/// What a daemon takes part in and offers, as it is kept in the state folder: `daemon.json`.
///
/// Paths and names are written as they are shown, so that any bytes come back.
struct RosterRecord: Hashable {
  /// A file that is offered as a block device.
  struct Export: Hashable {
    /// The dataset's id.
    var dataset: String
    /// nil for the newest.
    var version: UInt64?
    var path: [UInt8]
    /// A short name; nil for none.
    var name: [UInt8]?
    /// Seconds.
    var readTimeout: UInt64?
  }

  var datasets: [AddRequest] = []
  var exports: [Export] = []

  /// A file of more bytes is none of ours.
  static let mostBytes = 16 << 20
  /// Nor is one with more values.
  private static let mostValues = 1 << 20

  init() {}

  /// Reads one. Throws what is wrong with it.
  init(parsing bytes: [UInt8]) throws(Failure) {
    let json = try Failure.wrap {
      try JSONParser.parse(bytes, limit: Self.mostBytes, values: Self.mostValues)
    }
    guard json["format"]?.number == 1 else { throw Failure("it is of another version of swarm") }
    for each in json["datasets"]?.list ?? [] { datasets.append(try Self.dataset(each)) }
    for each in json["exports"]?.list ?? [] {
      guard let dataset = each["dataset"]?.text, let path = each["path"]?.text.flatMap(unprintable)
      else { throw Failure("an export has no dataset or no path") }
      exports.append(
        Export(
          dataset: dataset, version: each["version"]?.number, path: path,
          name: each["name"]?.text.flatMap(unprintable),
          readTimeout: each["read_timeout"]?.number))
    }
  }

  private static func dataset(_ json: JSON) throws(Failure) -> AddRequest {
    guard let text = json["link"]?.text.flatMap(unprintable) else {
      throw Failure("a dataset has no link")
    }
    var peers: [PeerAddress] = []
    for each in json["peers"]?.list ?? [] {
      peers.append(try Failure.wrap { try PeerAddress(parsing: (each.text ?? "").utf8) })
    }
    return AddRequest(
      link: try Failure.wrap { try LinkArgument(parsing: text) },
      directory: json["directory"]?.text.flatMap(unprintable),
      isSparse: json["sparse"]?.flag ?? false, only: json["only"]?.list?.compactMap(\.text) ?? [],
      peers: peers, keep: json["keep"]?.number.map { UInt16(clamping: $0) })
  }

  /// The bytes of the file.
  var bytes: [UInt8] {
    let json = JSON.object([
      ("format", .number(1)),
      ("datasets", .list(datasets.map(Self.json))),
      (
        "exports",
        .list(
          exports.map { each in
            .object([
              ("dataset", .text(each.dataset)), ("version", .number(orNull: each.version)),
              ("path", .text(printable(each.path))),
              ("name", .text(orNull: each.name.map { printable($0) })),
              ("read_timeout", .number(orNull: each.readTimeout)),
            ])
          })
      ),
    ])
    return Array((json.rendered + "\n").utf8)
  }

  private static func json(_ request: AddRequest) -> JSON {
    let link =
      switch request.link {
      case .link(let link): printable(Array(link.uri.utf8))
      case .path(let path): printable(path)
      }
    return .object([
      ("link", .text(link)),
      ("directory", .text(orNull: request.directory.map { printable($0) })),
      ("sparse", .bool(request.isSparse)), ("only", .list(request.only.map { .text($0) })),
      ("peers", .list(request.peers.map { .text("\($0)") })),
      ("keep", .number(orNull: request.keep.map { UInt64($0) })),
    ])
  }
}
