import ArgumentParser
import Glibc
import Metainfo
import SwarmNode

/// `swarm trace`: writes out what a boot read.
struct TraceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "trace",
    abstract: "Write out which bytes of an image its last boot here has read.",
    discussion: """
      Whatever is read from a block device (swarm join --nbd, swarm boot) is recorded: where, and how long \
      after the start. swarm publish --trace ships that with the image, and others that boot it fetch in \
      that order, ahead of the guest. docs/trace.md has the format. The subject may be a file with a trace, \
      which is then shown.

      @FILE reads a link from a file, - from standard input: a private dataset's link is a secret.
      """)

  @Argument(
    help: """
      A link, a dataset's key (KEY@3 for its version 3), an infohash, a published path, the path of a \
      .torrent, or a file with a trace.
      """, completion: .file())
  var subject: BytePath

  @Argument(help: "The file, by its path in the dataset. (default: the one that has a trace)")
  var file: BytePath?

  @Option(name: .shortAndLong, help: "Write the trace to this file.", completion: .file())
  var output: BytePath?

  @Flag(help: "Show it as text, one read a line. A terminal gets text anyway.")
  var text = false

  @OptionGroup var options: StateOptions

  func validate() throws {
    if options.isJSON, text || output != nil {
      throw ValidationError("--json is alone: it goes with neither --text nor --output")
    }
  }

  func run() throws {
    let found = try find()
    if options.isJSON { return try Console.result(Self.json(found).rendered) }
    if let output {
      let bytes = text ? Array(found.trace.text.utf8) : found.trace.encoded
      try Failure.wrap { try WholeFile.write(bytes, to: output.bytes) }
      Console.note(
        "\(printable(output.bytes)): \(Self.summary(found.trace))"
          + (found.path.map { " of \($0)" } ?? ""))
      return
    }
    if text || isatty(STDOUT_FILENO) == 1 {
      try Console.result(String(found.trace.text.dropLast()))
    } else {
      try Console.result(bytes: found.trace.encoded)
    }
  }

  /// A trace, and what it is of, where that is known.
  private struct Found {
    let trace: BootTrace
    var path: ContentPath?
    var info: InfoDictionary?
  }

  private func find() throws(Failure) -> Found {
    if let trace = try given() { return Found(trace: trace) }
    let state = try options.stateFolder()
    let infos = try versions(state)
    var paths: [String] = []
    for info in infos {
      let recorded = state.recordedTraces(DatasetName(info))
      let places = recorded.files().filter { place in
        guard place < info.files.count else { return false }
        return file.map { info.files[place].path.bytes == $0.bytes } ?? true
      }
      if places.count > 1 {
        paths = places.map { "\(info.files[$0].path)" }
        throw Failure(
          "boots of \(places.count) files were recorded, name one of them after the subject: "
            + paths.joined(separator: ", "))
      }
      if let place = places.first, let trace = recorded.trace(of: place) {
        return Found(trace: trace, path: info.files[place].path, info: info)
      }
    }
    if let file, !infos.contains(where: { $0.files.contains { $0.path.bytes == file.bytes } }) {
      throw Failure(
        "there is no file \(printable(file.bytes)) in it; swarm inspect --files lists them")
    }
    throw Failure(
      "no boot of " + (file.map { printable($0.bytes) } ?? "it")
        + " was recorded in this state folder: swarm join --nbd SOCKET and swarm boot record what is read"
    )
  }

  /// The trace, if the subject is a file with one.
  private func given() throws(Failure) -> BootTrace? {
    let magic = Array("swarmtrc".utf8)
    guard let bytes = try? WholeFile.read(subject.bytes, limit: TraceLimits.bytes),
      bytes.starts(with: magic)
    else { return nil }
    if file != nil {
      throw Failure("\(printable(subject.bytes)) is a trace: no path may follow it")
    }
    return try Failure.wrap("\(printable(subject.bytes)): ") { try BootTrace(encoded: bytes) }
  }

  /// What is named, as far as it is known here: versions of a dataset the newest first.
  private func versions(_ state: StateFolder) throws(Failure) -> [InfoDictionary] {
    let text = try LinkInput.resolve(subject.bytes)
    if let real = try? RealPath.resolve(text), let source = state.publishedSource(at: real) {
      return try Self.versions(KnownDataset(source.key, state: state))
    }
    switch try JoinSubject(parsing: text) {
    case .torrent(let path):
      try LinkAdvice.refuseWhatIsNoFile(path)
      let bytes = try TorrentFile.read(path)
      return [try Failure.wrap("\(printable(path)): ") { try Torrent.inspect(bytes).torrent.info }]
    case .link(let link):
      if let key = link.datasetKey {
        let dataset = try KnownDataset(key, state: state)
        if let number = link.version {
          guard let kept = dataset.version(number) else {
            throw Failure("version \(number) of \(key) is not known here")
          }
          return [kept.torrent.info]
        }
        let all = try Self.versions(dataset)
        if !all.isEmpty { return all }
      }
      let known = try Failure.wrap {
        try DatasetName(v1: link.v1Infohash, v2: link.v2Infohash).flatMap {
          try state.knownTorrent($0)
        }
      }
      guard let known else { throw Failure("nothing is known here of what is named") }
      return [known.info]
    }
  }

  private static func versions(_ dataset: KnownDataset) throws(Failure) -> [InfoDictionary] {
    try dataset.history(limit: 1_000).compactMap { $0.kept?.torrent.info }
  }

  private static func summary(_ trace: BootTrace) -> String {
    "\(Quantity.count(trace.reads.count, "read")), \(Quantity.bytes(trace.byteCount)), "
      + "\(trace.reads.last?.milliseconds ?? 0) ms"
  }

  private static func json(_ found: Found) -> JSON {
    .object([
      ("path", .text(orNull: found.path.map { "\($0)" })),
      ("version", .number(orNull: found.info?.version?.number)),
      ("infohash_v2", .text(orNull: found.info?.infohashV2?.hex)),
      ("infohash_v1", .text(orNull: found.info?.infohashV1?.hex)),
      ("file_length", .number(found.trace.fileSize)),
      ("bytes", .number(found.trace.byteCount)),
      ("milliseconds", .number(UInt64(found.trace.reads.last?.milliseconds ?? 0))),
      (
        "reads",
        .list(
          found.trace.reads.map {
            .object([
              ("milliseconds", .number(UInt64($0.milliseconds))), ("offset", .number($0.offset)),
              ("length", .number($0.length)),
            ])
          })
      ),
    ])
  }
}
