import Metainfo
import Wire

/// Boot traces, and fetching ahead by them.
extension ControlAPI {
  /// The most ranges of one request: a boot reads some thousands.
  static let mostRanges = 10_000

  static let traceRoutes: [Route] = [
    Route(
      method: "GET", path: "/v1/datasets/{id}/trace",
      summary:
        "What was read of an exported file, in order: as JSON, or as the bytes to ship with the image",
      names: [id],
      query: [
        .init(name: "path", schema: .text(1...4_096), note: "the file", isRequired: true),
        versionQuery,
      ],
      answers: [
        .init(
          status: 200, note: "the trace (docs/trace.md)", type: "application/json",
          schema: Shapes.trace.schema),
        .init(status: 200, note: "the trace (docs/trace.md)", type: MediaType.unknown),
      ],
      handle: { api, call throws(Problem) in try api.trace(call) }),
    Route(
      method: "POST", path: "/v1/datasets/{id}/prefetch",
      summary:
        "Fetch parts of a file behind all that is read: ranges, what the dataset's own trace names, or all",
      names: [id], body: prefetchSchema,
      answers: [
        .init(
          status: 202, note: "it is fetched as far as that was taken", type: "application/json",
          schema: .object([
            .init("ranges", .number(), "ranges that are fetched, or are here"),
            .init("bytes", .number(), "bytes in them"),
          ]))
      ],
      handle: { api, call throws(Problem) in try api.prefetch(call) }),
  ]

  private static let offset = Schema.number(0...MetainfoLimits.contentBytes)

  static let prefetchSchema = Schema.named(
    "Prefetch",
    .object([
      .init("path", .text(1...4_096), "the file, as the list of files shows its path"),
      .init("version", .orNull(versionSchema), "null for the newest one here", isRequired: false),
      .init(
        "ranges",
        .list(
          .object([.init("offset", offset, "first byte"), .init("length", offset, "bytes")]),
          atMost: mostRanges), "what to fetch, in this order; without it, all", isRequired: false),
      .init(
        "trace", .flag, "fetch what the trace names that the dataset brings for this file",
        isRequired: false),
    ]))

  private func trace(_ call: ControlCall) throws(Problem) {
    let id = try dataset(call).id
    let version = call.number("version")
    let place = try file(call, of: id, version: version).0
    let trace = try attempt { () throws(ControlFailure) in
      try service.trace(of: place, in: id, version: version)
    }
    if call.accepts("application/json") { return call.answer(Shapes.trace.json(trace)) }
    call.exchange.respond(
      HTTPResponse(200, [("Content-Type", MediaType.unknown)], .bytes(trace.encoded)))
  }

  private func prefetch(_ call: ControlCall) throws(Problem) {
    let id = try dataset(call).id
    let version = call.body["version"]?.number
    let (place, entry) = try file(call, of: id, version: version)
    let ranges = try Self.ranges(call.body["ranges"]?.list, in: entry)
    guard call.body["trace"]?.flag == true else {
      return try prefetch(ranges ?? [0..<entry.length], of: place, id, version, call)
    }
    if ranges != nil { throw Problem(422, "/ranges and /trace: one of them, please") }
    service.shippedTrace(of: place, in: id, version: version) { [unowned self] result in
      do throws(Problem) {
        switch result {
        case .failure(let failure): call.fail(failure)
        case .success(nil): call.fail(.notFound("the dataset brings no trace for \(entry.path)"))
        case .success(let trace?):
          try prefetch(trace.fitted(to: entry.length).map(\.range), of: place, id, version, call)
        }
      } catch { call.fail(error) }
    }
  }

  private func prefetch(
    _ ranges: [Range<UInt64>], of file: Int, _ id: String, _ version: UInt64?, _ call: ControlCall
  ) throws(Problem) {
    let taken = try attempt { () throws(ControlFailure) in
      try service.prefetch(ranges, of: file, in: id, version: version)
    }
    let bytes = ranges.prefix(taken).reduce(UInt64(0)) { $0 + UInt64($1.count) }
    call.answer(
      .object([("ranges", .number(UInt64(taken))), ("bytes", .number(bytes))]), status: 202)
  }

  /// The ranges of a body, cut off where the file ends; nil where there are none.
  private static func ranges(_ list: [JSON]?, in entry: FileEntry) throws(Problem) -> [Range<
    UInt64
  >]? {
    guard let list else { return nil }
    return list.compactMap { element in
      guard let offset = element["offset"]?.number, let length = element["length"]?.number,
        offset < entry.length, length > 0
      else { return nil }
      // Both are below 2^48.
      return offset..<min(offset + length, entry.length)
    }
  }
}
