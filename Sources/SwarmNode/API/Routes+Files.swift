import Metainfo
import Swarm
import Wire

/// Files, read from the swarm as clients ask for them.
extension ControlAPI {
  /// The most files of a list at once: some 400 bytes each.
  static let mostFiles: UInt64 = 1_000

  static let fileRoutes: [Route] = [
    Route(
      method: "GET", path: "/v1/datasets/{id}/files",
      summary: "Files and symlinks of a version, a page at a time",
      names: [id],
      query: [
        versionQuery,
        .init(name: "after", schema: .number(), note: "how many to pass over"),
        .init(
          name: "limit", schema: .number(1...mostFiles), note: "how many to list; without it 100"),
      ],
      answers: [
        .init(
          status: 200, note: "a page of them", type: "application/json",
          schema: .object([
            .init("file_count", .number(), "files and symlinks in all"),
            .init("files", .list(Shapes.file.schema), "in the version's order"),
            .init(
              "next", .orNull(.text()), "where those behind them are; null where there are none"),
          ]))
      ],
      handle: { api, call throws(Problem) in try api.listFiles(call) }),
    Route(
      method: "GET", path: "/v1/datasets/{id}/files/{path}",
      summary:
        "A file's bytes, by Range and If-Range; what is not here is fetched and verified first",
      names: [
        id,
        .init(
          name: "path", schema: .text(1...3_584),
          note:
            "the file's path, each byte but letters and digits escaped; its slashes may be escaped or not",
          isRequired: true),
      ],
      query: [versionQuery],
      answers: [
        .init(status: 200, note: "all of it", type: "*/*"),
        .init(status: 206, note: "the range that was asked for", type: "*/*"),
        .init(status: 304, note: "the client has it (If-None-Match)"),
        .init(status: 307, note: "a symlink, and where it leads"),
      ],
      handle: { api, call throws(Problem) in try api.readFile(call) }),
  ]

  private func listFiles(_ call: ControlCall) throws(Problem) {
    let id = try dataset(call).id
    let version = call.number("version")
    let info = try attempt { () throws(ControlFailure) in try service.info(of: id, version: version)
    }
    let first = Int(min(call.number("after") ?? 0, UInt64(info.files.count)))
    let limit = Int(call.number("limit") ?? 100)
    let page = info.files[first...].prefix(limit)
    var next = JSON.null
    if first + page.count < info.files.count {
      let pinned = version.map { "&version=\($0)" } ?? ""
      next = .text("/v1/datasets/\(id)/files?after=\(first + page.count)&limit=\(limit)\(pinned)")
    }
    call.answer(
      .object([
        ("file_count", .number(UInt64(info.files.count))),
        (
          "files",
          .list(
            page.map { Shapes.file.json(Shapes.File(entry: $0, dataset: id, version: version)) })
        ), ("next", next),
      ]))
  }

  /// A file of a version by the names of its path.
  func file(_ names: [[UInt8]], in info: InfoDictionary) throws(Problem) -> (Int, FileEntry) {
    let parts: [[UInt8]]
    do { parts = try RequestTarget.fileNames(names) } catch { throw Problem(404, "\(error)") }
    let path = Array(parts.joined(separator: [UInt8(ascii: "/")]))
    guard let place = info.files.firstIndex(where: { $0.path.bytes == path }) else {
      throw Problem(404, "there is no file \(printable(path))")
    }
    return (place, info.files[place])
  }

  private func readFile(_ call: ControlCall) throws(Problem) {
    let id = try dataset(call).id
    let version = call.number("version")
    let info = try attempt { () throws(ControlFailure) in try service.info(of: id, version: version)
    }
    let (place, entry) = try file(call.names["path"] ?? [], in: info)
    if let target = entry.symlinkTarget {
      guard let found = info.files.first(where: { $0.path == target }) else {
        throw Problem(404, "\(entry.path) is a symlink to \(target), which is no file")
      }
      let url = Shapes.File(entry: found, dataset: id, version: version).url
      return call.exchange.respond(HTTPResponse(307, [("Location", url)]))
    }
    let type = MediaType.ofFile(named: entry.path.elements.last?.bytes ?? [])
    guard call.accepts(type) else { throw Problem(406, "this is \(type), which Accept excludes") }
    let answer = FileAnswer(call, entry, tag: Self.tag(of: entry, at: place, in: info), type: type)
    guard let range = try answer.range() else { return }
    service.open(place, of: id, version: version) { result in
      switch result {
      case .success(let file): answer.send(range, of: file)
      case .failure(let failure): call.fail(failure)
      }
    }
  }

  /// Names exactly these bytes: by the root of their hash tree, which is the same in every version that has
  /// them; in v1, which knows no such name, by infohash and place.
  static func tag(of entry: FileEntry, at place: Int, in info: InfoDictionary) -> EntityTag {
    if entry.length == 0 { return EntityTag(strong: "empty") }
    if let root = entry.piecesRoot { return EntityTag(strong: root.hex) }
    return EntityTag(strong: "\(info.infohashV1?.hex ?? "")-\(place)")
  }
}

/// The answer to a request for a file.
private final class FileAnswer {
  private let call: ControlCall
  private let entry: FileEntry
  private var headers: [(String, String)]
  private let tag: EntityTag
  private var status = 200

  init(_ call: ControlCall, _ entry: FileEntry, tag: EntityTag, type: String) {
    self.call = call
    self.entry = entry
    self.tag = tag
    // A browser must not take a file for a page of ours.
    headers = [
      ("Content-Type", type), ("X-Content-Type-Options", "nosniff"), ("ETag", tag.text),
      ("Accept-Ranges", "bytes"), ("Cache-Control", "private, no-cache"),
    ]
  }

  /// Which bytes are to be sent; nil where all was answered.
  func range() throws(Problem) -> Range<UInt64>? {
    let fields = call.request.headers
    let conditions = Preconditions(
      ifMatch: fields["if-match"], ifNoneMatch: fields["if-none-match"], ifRange: fields["if-range"]
    )
    var wanted = ByteRange.whole
    switch conditions.verdict(on: tag) {
    case .failed: throw Problem(412, "the file is not the one that If-Match names")
    case .notModified:
      let kept = headers.filter { $0.0 == "ETag" || $0.0 == "Cache-Control" }
      call.exchange.respond(HTTPResponse(304, kept))
      return nil
    case .proceed(let heedsRange):
      // Only GET knows ranges. RFC 9110, section 14.2.
      if heedsRange, call.request.method == "GET" {
        wanted = ByteRange(header: fields["range"], length: entry.length)
      }
    }
    let contentRange = wanted.contentRange(of: entry.length)
    switch wanted {
    case .whole: break
    case .unsatisfiable:
      throw Problem(
        416, "the file has \(entry.length) bytes, none of which is in that range",
        headers: [("Content-Range", contentRange ?? "")])
    case .part(let range):
      status = 206
      headers.append(("Content-Range", contentRange ?? ""))
      return range
    }
    if entry.length == 0 {
      call.exchange.respond(HTTPResponse(200, headers))
      return nil
    }
    if call.request.method == "HEAD" {
      call.exchange.respond(HTTPResponse(200, headers, .stream(NoBody(), length: entry.length)))
      return nil
    }
    return 0..<entry.length
  }

  /// Begins to read. The answer begins with the first bytes, so that it can be an error until then.
  func send(_ range: Range<UInt64>, of file: ReadableFile) {
    guard !call.exchange.isGone else { return }
    let body = FileBody(range, of: file)
    call.exchange.onGone = { body.cancel() }
    body.begin { [self] failure in
      guard let failure else {
        return call.exchange.respond(
          HTTPResponse(status, headers, .stream(body, length: UInt64(range.count))))
      }
      body.cancel()
      call.fail(failure.control)
    }
  }
}

/// Of an answer that has no body.
private final class NoBody: BodySource {
  func next(into buffer: UnsafeMutableRawBufferPointer) -> BodyPart { .failed }
  func setWake(_ wake: @escaping () -> Void) {}
  func cancel() {}
}

extension ReadFailure {
  /// For who reads over HTTP.
  fileprivate var control: ControlFailure {
    switch self {
    case .timeout: .timeout("nobody had the bytes in time")
    case .closed: .unavailable("the dataset is being stopped")
    case .outOfRange: .system("there are no such bytes")
    }
  }
}
