import Metainfo
import Swarm
import Wire

/// How the resources of the API are written (docs/api.md): names as in docs/json.md.
enum Shapes {
  /// "The keys of every torrent" of docs/json.md.
  static let torrent = Shape<InfoDictionary>(
    "Torrent",
    [
      .init("name", .text(), "the dataset's name") { .text($0.name.description) },
      .init("kind", .choice(TorrentKind.allCases.map(\.rawValue)), "v1, v2 or hybrid") {
        .text($0.kind.rawValue)
      },
      .init("single_file", .flag, "whether it is one file without a folder") {
        .bool($0.isSingleFile)
      },
      .init("length", .number(), "bytes in all files") { .number($0.contentLength) },
      .init("file_count", .number(), "files and symlinks") { .number(UInt64($0.files.count)) },
      .init("piece_length", .number(), "bytes in a piece") { .number(UInt64($0.pieceLength)) },
      .init("infohash_v2", .orNull(.hex(64)), "SHA-256 of the info dictionary") {
        .text(orNull: $0.infohashV2?.hex)
      },
      .init("infohash_v1", .orNull(.hex(40)), "SHA-1 of the info dictionary") {
        .text(orNull: $0.infohashV1?.hex)
      },
      .init("private", .flag, "whether peers may come from the trackers only (BEP 27)") {
        .bool($0.isPrivate)
      },
      .init("version", .orNull(.number()), "which version of a dataset it is, from 1") {
        .number(orNull: $0.version?.number)
      },
      .init("previous", .orNull(.hex(64)), "v2 infohash of the version before") {
        .text(orNull: $0.version?.previous?.hex)
      },
      .init("published", .orNull(.signed), "seconds since 1970") {
        $0.version?.created.map { .signed($0) } ?? .null
      },
      .init("message", .orNull(.text()), "what the publisher says of it") {
        .text(orNull: $0.version.map { printable(Array($0.message.utf8)) })
      },
    ])

  static let transfer = Shape<TorrentStatus>(
    "Transfer",
    [
      .init("done", .number(), "bytes of what is wanted that are verified and here") {
        .number($0.doneBytes)
      },
      .init(
        "wanted", .orNull(.number()), "bytes that are wanted; null while the metadata is not here"
      ) {
        .number(orNull: $0.name == nil ? nil : $0.wantedBytes)
      },
      .init("finished", .flag, "whether all that is wanted is here and on disk") {
        .bool($0.isFinished)
      },
      .init("downloaded", .number(), "bytes of content that came in this run") {
        .number($0.downloadedBytes)
      },
      .init("uploaded", .number(), "bytes of content that went in this run") {
        .number($0.uploadedBytes)
      },
      .init("wasted", .number(), "bytes that came and were wrong, or were here already") {
        .number($0.wastedBytes)
      },
      .init(
        "download_saved", .number(),
        "of what came, bytes that did not come over the line since blocks came compressed"
      ) { .number($0.savedDownloadBytes) },
      .init("upload_saved", .number(), "the same of what went") { .number($0.savedUploadBytes) },
      .init("compressing_peers", .number(), "peers with which blocks can travel compressed") {
        .number(UInt64($0.compressingPeers))
      },
      .init("download_rate", .number(), "bytes a second") { .number($0.downloadRate) },
      .init("upload_rate", .number(), "bytes a second") { .number($0.uploadRate) },
      .init("peers", .number(), "connected peers") { .number(UInt64($0.peers)) },
      .init("seeds", .number(), "those of them that have everything") { .number(UInt64($0.seeds)) },
      .init("connecting", .number(), "connections being made") { .number(UInt64($0.connecting)) },
      .init("known_peers", .number(), "peers known, connected or not") {
        .number(UInt64($0.knownPeers))
      },
      .init("seconds_left", .orNull(.number()), "if it goes on as now") {
        .number(orNull: $0.secondsLeft)
      },
      .init("waiting", .orNull(.text()), "what it waits for (docs/json.md)") {
        .text(orNull: $0.waiting.name)
      },
      .init("stalled_reads", .number(), "reads that have waited for more than a second, 16 at most")
      {
        .number(UInt64($0.stalledReads.count))
      },
    ])

  static let dataset = Shape<DatasetView>(
    "Dataset",
    [
      .init("id", .text(40...64, pattern: .digits(40...64)), "the dataset's key, else an infohash")
      {
        .text($0.id)
      },
      .init("name", .orNull(.text()), "null while it is not known") {
        .text(orNull: $0.name.map { printable($0) })
      },
      .init("dataset_key", .orNull(.hex(64)), "null for a plain torrent") {
        .text(orNull: $0.key?.hex)
      },
      .init("version", .orNull(.number()), "the version that is taken part in") {
        .number(orNull: $0.version)
      },
      .init("newest", .orNull(.number()), "the newest version known of") {
        .number(orNull: $0.newest)
      },
      .init("infohash_v2", .orNull(.hex(64)), "of the version that is taken part in") {
        .text(orNull: $0.infohashV2?.hex)
      },
      .init("infohash_v1", .orNull(.hex(40)), "of the version that is taken part in") {
        .text(orNull: $0.infohashV1?.hex)
      },
      .init("private_dataset", .flag, "whether only those find and read it who have its link") {
        .bool($0.isPrivate)
      },
      .init(
        "magnet", .text(),
        "the link to pass on; of a private dataset without what opens it, which is at /link"
      ) { .text($0.magnet) },
      .init("path", .orNull(.text()), "where the content is") {
        .text(orNull: $0.path.map { printable($0) })
      },
      .init("seed", .flag, "whether the content was here from the beginning") { .bool($0.isSeed) },
      .init("sparse", .flag, "whether only what is read is fetched") { .bool($0.isSparse) },
      .init("fault", .orNull(.text()), "why it cannot go on") { .text(orNull: $0.fault) },
      .init("torrent", .orNull(torrent.schema), "what is in the version; null while not known") {
        $0.info.map { torrent.json($0) } ?? .null
      },
      .init("transfer", .orNull(transfer.schema), "how the version is doing") {
        $0.transfer.map { transfer.json($0) } ?? .null
      },
      .init("files", .text(), "where its files are listed") {
        .text("/v1/datasets/\($0.id)/files")
      },
    ])

  static let version = Shape<VersionView>(
    "Version",
    [
      .init("version", .orNull(.number()), "its number; null for a plain torrent") {
        .number(orNull: $0.number)
      },
      .init("infohash_v2", .orNull(.hex(64)), "its infohash") {
        .text(orNull: ($0.info?.infohashV2 ?? $0.infohashV2)?.hex)
      },
      .init("open", .flag, "whether the node takes part in it now") { .bool($0.isOpen) },
      .init(
        "differing_bytes", .orNull(.number()),
        "what who has the version before must fetch; null where unknown"
      ) { .number(orNull: $0.differingBytes) },
      .init("torrent", .orNull(torrent.schema), "what is in it; null where that is not here") {
        $0.info.map { torrent.json($0) } ?? .null
      },
    ])

  static let peer = Shape<PeerView>(
    "Peer",
    [
      .init("address", .text(), "address and port") { .text($0.address) },
      .init("client", .text(), "the program, as it calls itself") {
        .text(printable(Array($0.client.utf8)))
      },
      .init("incoming", .flag, "whether it connected to us") { .bool($0.isIncoming) },
      .init("encrypted", .flag, "whether nobody else can read the connection") {
        .bool($0.isEncrypted)
      },
      .init("pieces", .number(), "pieces that it has") { .number(UInt64($0.pieces)) },
      .init("download_rate", .number(), "bytes a second from it") { .number($0.downloadRate) },
      .init("upload_rate", .number(), "bytes a second to it") { .number($0.uploadRate) },
      .init("peer_choking", .flag, "it does not let us request") { .bool($0.peerChoking) },
      .init("peer_interested", .flag, "it wants something that we have") {
        .bool($0.peerInterested)
      },
      .init("am_choking", .flag, "we do not let it request") { .bool($0.amChoking) },
      .init("am_interested", .flag, "we want something that it has") { .bool($0.amInterested) },
      .init("requested", .number(), "our requests that it has not answered") {
        .number(UInt64($0.requested))
      },
      .init("compression", .flag, "whether it takes blocks compressed (docs/compression.md)") {
        .bool($0.compresses)
      },
    ])

  static let export = Shape<ExportView>(
    "Export",
    [
      .init("name", .text(), "its name for clients of NBD") {
        .text(printable($0.names.first ?? []))
      },
      .init("names", .list(.text()), "all names by which clients may ask for it") {
        .list($0.names.map { .text(printable($0)) })
      },
      .init("dataset", .text(40...64, pattern: .digits(40...64)), "the dataset's id") {
        .text($0.dataset)
      },
      .init("version", .orNull(.number()), "null for the newest") { .number(orNull: $0.version) },
      .init("path", .text(), "the file") { .text($0.path.description) },
      .init("size", .number(), "bytes in it") { .number($0.size) },
      .init("socket", .text(), "where clients connect") { .text(printable($0.socket)) },
    ])

  static let node = Shape<NodeView>(
    "Node",
    [
      .init("version", .text(), "the program's version") { .text($0.version) },
      .init("uptime_seconds", .number(), "since it was started") { .number($0.uptimeSeconds) },
      .init("listening", .list(.text()), "where it listens for peers") {
        .list($0.listening.map { .text($0) })
      },
      .init("nbd_socket", .orNull(.text()), "where block devices are") {
        .text(orNull: $0.nbdSocket.map { printable($0) })
      },
      .init("download_saved", .number(), "bytes that compression kept off the line, of what came") {
        .number($0.compression.savedDownloadBytes)
      },
      .init("upload_saved", .number(), "the same of what went") {
        .number($0.compression.savedUploadBytes)
      },
      .init("dht", .free("docs/json.md"), "the node of the DHT (docs/json.md, \"dht\")") { $0.dht },
      .init("local_network", .free("docs/json.md"), "(docs/json.md, \"local_network\")") {
        $0.localNetwork
      },
      .init("mappings", .free("docs/json.md"), "ports in routers (docs/json.md, \"mappings\")") {
        $0.mappings
      },
    ])

  /// A file with the id of its dataset and the version's number if it was asked for.
  struct File: Sendable {
    let entry: FileEntry
    let dataset: String
    let version: UInt64?

    /// Where its bytes are.
    var url: String {
      var text = Array("/v1/datasets/\(dataset)/files".utf8)
      for element in entry.path.elements {
        text.append(UInt8(ascii: "/"))
        PercentCoding.encode(element.bytes, into: &text)
      }
      if let version { text += "?version=\(version)".utf8 }
      return String(decoding: text, as: UTF8.self)
    }
  }

  static let file = Shape<File>(
    "File",
    [
      .init("path", .text(), "where it lies in the dataset; bytes that are not shown as \\xNN") {
        .text($0.entry.path.description)
      },
      .init("length", .number(), "bytes") { .number($0.entry.length) },
      .init("executable", .flag, "whether the owner may run it") {
        .bool($0.entry.symlinkTarget == nil && $0.entry.attributes.contains(.executable))
      },
      .init("hidden", .flag, "whether it is hidden") {
        .bool($0.entry.attributes.contains(.hidden))
      },
      .init("symlink", .orNull(.text()), "the target from the dataset's top") {
        .text(orNull: $0.entry.symlinkTarget?.description)
      },
      .init("pieces_root", .orNull(.hex(64)), "root of its hash tree") {
        .text(orNull: $0.entry.piecesRoot?.hex)
      },
      .init("url", .text(), "where its bytes are") { .text($0.url) },
    ])

  static let read = Shape<BootTrace.Read>(
    "Read",
    [
      .init("offset", .number(), "first byte") { .number($0.offset) },
      .init("length", .number(), "bytes") { .number($0.length) },
      .init("milliseconds", .number(), "since the first read") { .number(UInt64($0.milliseconds)) },
    ])

  static let trace = Shape<BootTrace>(
    "Trace",
    [
      .init("file_size", .number(), "bytes in the file") { .number($0.fileSize) },
      .init("byte_count", .number(), "bytes that were read") { .number($0.byteCount) },
      .init("reads", .list(read.schema), "in order") { .list($0.reads.map { read.json($0) }) },
    ])

  static let problem: Schema = .named(
    "Problem",
    .object([
      .init("type", .text(), "about:blank: the status says it"),
      .init("title", .text(), "the status in words"),
      .init("status", .number(400...599), "the status"),
      .init("detail", .text(), "what was wrong with this request"),
      .init("instance", .orNull(.text()), "the path that was asked for"),
    ]))
}
