import ArgumentParser
import Metainfo
import SwarmNode

/// `swarm log`: the versions of a dataset.
struct LogCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "log",
    abstract: "List the versions of a dataset, newest first.",
    discussion: """
      With each version's time, message, size, and what was new in it. What is not known here is asked \
      of everyone who shares the dataset, and kept: each version names the one before it.

      @FILE reads the link from a file, - from standard input: a private dataset's link is a secret.

      Examples:
        swarm log photos               of a folder that is published here
        swarm log KEY -n 3 --timeout 60
      """)

  @Argument(
    help: "A dataset's key, a link that has it, or a path that is published.", completion: .file())
  var subject: BytePath

  @Option(name: [.customShort("n"), .long], help: "How many versions to list at most.")
  var limit: Int = 1_000

  @OptionGroup var lookup: LookupOptions
  @OptionGroup var options: StateOptions

  func validate() throws {
    if limit < 1 { throw ValidationError("--limit \(limit): at least 1") }
  }

  func run() throws {
    let state = try options.stateFolder()
    var dataset = try KnownDataset(subject.bytes, state: state)
    var others = VersionLookup(
      dataset, state: state, options: lookup,
      display: options.isJSON ? nil : StatusDisplay(isJSON: false))
    try others.find(.newest(limit))
    try dataset.update()
    let entries = try dataset.history(limit: limit)
    if entries.isEmpty {
      throw Failure(
        others.shortfall.flatMap { lookup.offline ? nil : $0 }
          ?? "no version of \(dataset.key) is known here")
    }
    defer { if let text = others.shortfall { Console.warn(text) } }
    let diffs = entries.indices.map { index -> VersionDiff? in
      guard index + 1 < entries.count, let new = entries[index].kept?.torrent,
        let old = entries[index + 1].kept?.torrent,
        entries[index + 1].number + 1 == entries[index].number
      else { return nil }
      return VersionDiff(from: old.info, old.pieceLayers, to: new.info, new.pieceLayers)
    }
    if options.isJSON {
      let list = zip(entries, diffs).map { JSON.object(Self.json($0, $1)) }
      try Console.result(
        JSON.object([("dataset_key", .text(dataset.key.hex)), ("versions", .list(list))]).rendered)
      return
    }
    let blocks = zip(entries, diffs).map { table(Self.rows($0, $1)) }
    try Console.result(blocks.joined(separator: "\n\n"))
  }

  private static func rows(_ entry: KnownDataset.Entry, _ diff: VersionDiff?) -> [(String, String)]
  {
    var rows = [("version", "\(entry.number)")]
    guard let info = entry.kept?.torrent.info else {
      if let infohash = entry.infohash { rows.append(("infohash v2", infohash.hex)) }
      return rows + [("", "what is in it is not known here")]
    }
    let version = info.version
    if let seconds = version?.created { rows.append(("published", UTC.text(of: seconds))) }
    if let message = version?.message, !message.isEmpty { rows.append(("message", shown(message))) }
    rows.append(
      (
        "content",
        "\(Quantity.bytes(info.contentLength)) in \(Quantity.count(info.files.count, "file"))"
      ))
    if let diff { rows.append(("new", DiffView(diff).summary)) }
    if let infohash = entry.infohash { rows.append(("infohash v2", infohash.hex)) }
    return rows
  }

  private static func json(_ entry: KnownDataset.Entry, _ diff: VersionDiff?) -> [(String, JSON)] {
    let info = entry.kept?.torrent.info
    return [
      ("version", .number(entry.number)), ("infohash_v2", .text(orNull: entry.infohash?.hex)),
      ("name", .text(orNull: info?.name.description)),
      ("published", info?.version?.created.map { .signed($0) } ?? .null),
      ("message", .text(orNull: info?.version.map { shown($0.message) })),
      ("length", .number(orNull: info?.contentLength)),
      ("file_count", .number(orNull: info.map { UInt64($0.files.count) })),
      (
        "differing_bytes",
        .number(orNull: diff.flatMap { $0.isEstimate ? nil : $0.differingBytes })
      ),
    ]
  }
}
