import Metainfo
import Wire

/// Datasets and their versions.
extension ControlAPI {
  static let versionSchema = Schema.number(1...UInt64(Int64.max))

  static let versionQuery = Route.Parameter(
    name: "version", schema: versionSchema,
    note: "a version's number; without it, the newest one here")

  static let datasetRoutes: [Route] = [
    Route(
      method: "GET", path: "/v1/datasets", summary: "All datasets that the node takes part in",
      answers: [
        .init(
          status: 200, note: "all of them", type: "application/json",
          schema: .object([
            .init("datasets", .list(Shapes.dataset.schema), "in an order that stays")
          ]))
      ],
      handle: { api, call throws(Problem) in
        call.answer(
          .object([("datasets", .list(api.service.datasets.map { Shapes.dataset.json($0) }))]))
      }),
    Route(
      method: "POST", path: "/v1/datasets", summary: "Take part in a dataset", body: addSchema,
      answers: [
        .init(
          status: 201, note: "it is taken part in; nothing of it need be here yet",
          type: "application/json", schema: Shapes.dataset.schema)
      ],
      handle: { api, call throws(Problem) in try api.addDataset(call) }),
    Route(
      method: "GET", path: "/v1/datasets/{id}", summary: "How a dataset is doing", names: [id],
      answers: [
        .init(
          status: 200, note: "the dataset", type: "application/json", schema: Shapes.dataset.schema)
      ],
      handle: { api, call throws(Problem) in call.answer(Shapes.dataset.json(try api.dataset(call)))
      }),
    Route(
      method: "DELETE", path: "/v1/datasets/{id}",
      summary: "Remove a dataset: stop sharing and following it; its content stays where it is",
      names: [wholeID],
      answers: [.init(status: 204, note: "it is at rest")],
      handle: { api, call throws(Problem) in
        api.service.remove(try api.dataset(call, isWhole: true).id) { failure in
          if let failure { call.fail(failure) } else { call.exchange.respond(HTTPResponse(204)) }
        }
      }),
    Route(
      method: "GET", path: "/v1/datasets/{id}/link",
      summary: "The link to pass on: of a private dataset, a secret",
      names: [id],
      answers: [
        .init(
          status: 200, note: "the link", type: "application/json",
          schema: .object([
            .init(
              "magnet", .text(),
              "with what opens a private dataset (x.rk=): whoever has it reads it")
          ]))
      ],
      handle: { api, call throws(Problem) in
        let id = try api.dataset(call).id
        let link = try api.attempt { () throws(ControlFailure) in try api.service.link(of: id) }
        call.answer(.object([("magnet", .text(link))]))
      }),
    Route(
      method: "GET", path: "/v1/datasets/{id}/versions", summary: "Versions that are known",
      names: [id],
      answers: [
        .init(
          status: 200, note: "newest first", type: "application/json",
          schema: .object([.init("versions", .list(Shapes.version.schema), "newest first")]))
      ],
      handle: { api, call throws(Problem) in
        let id = try api.dataset(call).id
        let versions = try api.attempt { () throws(ControlFailure) in
          try api.service.versions(of: id)
        }
        call.answer(.object([("versions", .list(versions.map { Shapes.version.json($0) }))]))
      }),
    Route(
      method: "GET", path: "/v1/datasets/{id}/versions/{number}", summary: "One version",
      names: [
        id,
        .init(
          name: "number", schema: versionSchema, note: "the version's number", isRequired: true),
      ],
      answers: [
        .init(
          status: 200, note: "the version", type: "application/json", schema: Shapes.version.schema)
      ],
      handle: { api, call throws(Problem) in
        let id = try api.dataset(call).id
        let text = call.names["number"]?.first.map { String(decoding: $0, as: UTF8.self) } ?? ""
        let versions = try api.attempt { () throws(ControlFailure) in
          try api.service.versions(of: id)
        }
        guard let version = versions.first(where: { $0.number.map(String.init) == text }) else {
          throw Problem(404, "no version \(text) is known here")
        }
        call.answer(Shapes.version.json(version))
      }),
  ]

  /// What is sent to add a dataset.
  static let addSchema = Schema.named(
    "AddDataset",
    .object([
      .init(
        "link", .text(1...8_192, pattern: .link),
        "a magnet link, a dataset's key (KEY@3 for its version 3), urn:btmh:…, urn:btih:…, or the absolute path of a .torrent"
      ),
      .init(
        "directory", .orNull(.text(1...4_096, pattern: .absolute)),
        "the folder in which it gets its own, absolute; without it, one of the node's",
        isRequired: false),
      .init("sparse", .flag, "fetch only what is read", isRequired: false),
      .init(
        "only", .list(.text(1...4_096), atMost: 1_024),
        "patterns of the files that are wanted, as in *.csv or raw/**; none for all",
        isRequired: false),
      .init(
        "peers", .list(.text(3...300, pattern: .peer), atMost: 1_024),
        "peers to try first, HOST:PORT",
        isRequired: false),
      .init(
        "keep", .orNull(.number(0...65_535)),
        "how many old versions stay beside the newest; null for all", isRequired: false),
    ]))

  private func addDataset(_ call: ControlCall) throws(Problem) {
    let text = call.body["link"]?.text ?? ""
    let link: LinkArgument
    do { link = try LinkArgument(parsing: Self.bytes(text)) } catch {
      throw Problem(422, "/link: \(error)")
    }
    if case .path(let path) = link, path.first != UInt8(ascii: "/") {
      throw Problem(422, "/link must be a link, or an absolute path")
    }
    var peers: [PeerAddress] = []
    for peer in call.body["peers"]?.list ?? [] { peers.append(try Self.peer(peer.text ?? "")) }
    let request = AddRequest(
      link: link, directory: (call.body["directory"]?.text).map { Self.bytes($0) },
      isSparse: call.body["sparse"]?.flag ?? false,
      only: call.body["only"]?.list?.compactMap(\.text) ?? [], peers: peers,
      keep: (call.body["keep"]?.number).map { UInt16(clamping: $0) })
    guard !request.isSparse || request.only.isEmpty else {
      throw Problem(422, "with /sparse only reads decide what is fetched: no /only")
    }
    service.add(request) { [unowned self] result in
      switch result {
      case .success(let id):
        guard let view = service.datasets.first(where: { $0.id == id }) else {
          return call.fail(.system("the dataset is gone again"))
        }
        call.answer(Shapes.dataset.json(view), status: 201, [("Location", "/v1/datasets/\(id)")])
      case .failure(let failure): call.fail(failure)
      }
    }
  }

  static func peer(_ text: String) throws(Problem) -> PeerAddress {
    do { return try PeerAddress(parsing: text.utf8) } catch {
      throw Problem(422, "\(printable(Array(text.utf8))) is no HOST:PORT: \(error)")
    }
  }

  /// The bytes of a path or name: as it is shown (`printable`), or as it is where it is not that.
  static func bytes(_ text: String) -> [UInt8] { unprintable(text) ?? Array(text.utf8) }
}

extension Schema.Pattern {
  static let absolute = Schema.Pattern(expression: "^/") { $0.hasPrefix("/") }

  static let peer = Schema.Pattern(expression: "^.+:[0-9]{1,5}$") { text in
    (try? PeerAddress(parsing: text.utf8)) != nil
  }

  /// Looked at closely where it is read.
  static let link = Schema.Pattern(
    expression: "^(magnet:|urn:bt|/|[0-9a-fA-F]{40,64}(@[0-9]+)?$)"
  ) { text in
    text.hasPrefix("magnet:") || text.hasPrefix("urn:bt") || text.hasPrefix("/")
      || text.prefix { $0 != "@" }.utf8.count >= 40
  }
}
