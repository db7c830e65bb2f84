import Metainfo
import Wire

/// Files as block devices.
extension ControlAPI {
  static let exportRoutes: [Route] = [
    Route(
      method: "GET", path: "/v1/exports", summary: "Files that are offered as block devices (NBD)",
      answers: [
        .init(
          status: 200, note: "all of them", type: "application/json",
          schema: .object([
            .init("exports", .list(Shapes.export.schema), "in the order of the socket")
          ]))
      ],
      handle: { api, call throws(Problem) in
        call.answer(
          .object([("exports", .list(api.service.exports.map { Shapes.export.json($0) }))]))
      }),
    Route(
      method: "POST", path: "/v1/exports", summary: "Offer a file as a block device",
      body: exportSchema,
      answers: [
        .init(
          status: 201, note: "it is offered", type: "application/json", schema: Shapes.export.schema
        )
      ],
      handle: { api, call throws(Problem) in try api.export(call) }),
    Route(
      method: "DELETE", path: "/v1/exports/{name}",
      summary: "Offer it no more; its readers get errors",
      names: [
        .init(
          name: "name", schema: .text(1...4_096),
          note: "any of its names; slashes in it may be escaped or not", isRequired: true)
      ],
      answers: [.init(status: 204, note: "it is gone")],
      handle: { api, call throws(Problem) in
        let name = Array((call.names["name"] ?? []).joined(separator: [UInt8(ascii: "/")]))
        try api.attempt { () throws(ControlFailure) in try api.service.removeExport(named: name) }
        call.exchange.respond(HTTPResponse(204))
      }),
  ]

  static let exportSchema = Schema.named(
    "AddExport",
    .object([
      .init("dataset", idSchema, "the dataset's id"),
      .init("path", .text(1...4_096), "the file, as the list of files shows its path"),
      .init("version", .orNull(versionSchema), "null for the newest", isRequired: false),
      .init(
        "name", .orNull(.text(1...1_024)), "a short name for clients of NBD", isRequired: false),
      .init(
        "read_timeout", .orNull(.number(1...86_400)),
        "seconds after which a read ends with an error",
        isRequired: false),
    ]))

  /// The file that a body's `path` names in a version.
  func file(_ call: ControlCall, of id: String, version: UInt64?) throws(Problem) -> (
    Int, FileEntry
  ) {
    let info = try attempt { () throws(ControlFailure) in try service.info(of: id, version: version)
    }
    let path = Self.bytes(call.body["path"]?.text ?? call.query["path"]?.text ?? "")
    let found = try file([path], in: info)
    if let target = found.1.symlinkTarget { throw Problem(422, "/path is a symlink to \(target)") }
    guard found.1.length > 0 else { throw Problem(422, "/path is empty") }
    return found
  }

  private func export(_ call: ControlCall) throws(Problem) {
    let id = try dataset(call.body["dataset"]?.text ?? "").id
    let version = call.body["version"]?.number
    let request = ExportRequest(
      dataset: id, version: version, file: try file(call, of: id, version: version).0,
      name: (call.body["name"]?.text).map { Array($0.utf8) },
      readTimeout: call.body["read_timeout"]?.number)
    let view = try attempt { () throws(ControlFailure) in try service.export(request) }
    var location = Array("/v1/exports/".utf8)
    PercentCoding.encode(view.names.first ?? [], into: &location)
    call.answer(
      Shapes.export.json(view), status: 201,
      [("Location", String(decoding: location, as: UTF8.self))])
  }
}
