import ArgumentParser
import Metainfo
import Store
import SwarmNode

/// `swarm publish`: the next version of a dataset.
struct Publish: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "publish",
    abstract: "Publish a changed folder or file as the next version of its dataset.",
    discussion: """
      Hashes what changed since the last version, signs the new one, and prints the link, which stays the \
      same but for the infohash of the newest version. Announces it to the DHT and to peers, so that \
      everyone who joined by the key follows; if a swarm seed of the folder is running, that does so, and \
      shares the content. If nothing changed, nothing is published, and the exit status is 0.

      Examples:
        swarm publish photos -m "two more days"
        swarm seed photos              share the new version, if no seed is running
      """)

  @Argument(
    help:
      "The folder or file. If it was never shared, it gets a key and becomes version 1.",
    completion: .file())
  var path: BytePath

  @Option(name: .shortAndLong, help: "What is new, for everyone who fetches it.")
  var message: BytePath?

  @Option(
    name: .customLong("trace"),
    help: ArgumentHelp(
      "A boot trace (swarm trace) that goes with the version; can be repeated.",
      discussion: """
        FILE=PATH is a trace of PATH in the dataset; FILE alone, of the one file with the size that the \
        trace names; "recorded" takes what boots of this dataset have read here. Your folder is not \
        written to. Later versions keep the traces.
        """,
      valueName: "file[=path]"), completion: .file())
  var traces: [BytePath] = []

  @Flag(
    name: .customLong("drop-traces"), help: "Leave out the boot traces of the last version.")
  var dropsTraces = false

  @Flag(name: .customLong("no-spread"), help: "Announce it to nobody now: swarm seed will.")
  var isQuiet = false

  @Option(help: "Seconds to look for others to tell.")
  var timeout: Int = 20

  @OptionGroup var dataset: DatasetOptions
  @OptionGroup var network: NetworkOptions
  @OptionGroup var options: StateOptions

  func validate() throws {
    if timeout < 1 { throw ValidationError("--timeout \(timeout): at least 1") }
    if let message, String(validating: message.bytes, as: UTF8.self) == nil {
      throw ValidationError("the message \(printable(message.bytes)) is not UTF-8")
    }
  }

  func run() throws {
    let state = try options.stateFolder()
    try network.checkListening()
    try refuseTorrent(in: state)
    let former = (try? RealPath.resolve(path.bytes)).flatMap { state.publishedSource(at: $0) }
    let source = try dataset.source(of: path.bytes, in: state)
    let text = message.map { String(decoding: $0.bytes, as: UTF8.self) } ?? ""
    var warnings: [String] = []
    if let former, former.key != source.key {
      warnings.append(
        "\(printable(source.path)) was published under the key \(former.key) until now, and is a version of "
          + "\(source.key) from now on")
    }
    var changes = TraceChanges()
    changes.dropsOthers = dropsTraces
    var run = try state.publishing(source) { [changes] () throws(Failure) in
      var changes = changes
      for argument in traces {
        changes.new += try TraceArgument(argument.bytes).traces(for: source, in: state)
      }
      return try PublicationRun(source, message: text, traces: changes, state: state) {
        warnings.append($0)
      }
    }
    if run.previous == nil, case .published = run.outcome {
      warnings.append(NewDataset.warning(source, in: state))
    }
    // A seed of the folder that runs is to have it at once.
    run.folder = nil
    if !options.isJSON {
      for warning in warnings { Console.warn(warning) }
      if run.previous == nil { Console.note(NewDataset.note(source.key, in: state)) }
    }
    switch run.outcome {
    case .unchanged(let torrent):
      try report(torrent.info, source, isNew: false, run, warnings, nil)
    case .published(let torrent, let head):
      let before = run.previous?.infohashV2.flatMap { state.keptVersion($0) }
      let diff = before.flatMap { before in
        VersionDiff(
          from: before.torrent.info, before.torrent.pieceLayers, to: torrent.info,
          torrent.pieceLayers)
      }
      try report(torrent.info, source, isNew: true, run, warnings, diff) { () throws(Failure) in
        try spread(head, after: run.previous, source, state)
      }
    }
  }

  /// A .torrent is named where its content is meant; one that was published as a file is so still.
  private func refuseTorrent(in state: StateFolder) throws(Failure) {
    guard Seed.isTorrent(path.bytes), let real = try? RealPath.resolve(path.bytes),
      state.publishedSource(at: real) == nil
    else { return }
    throw Failure(
      "\(printable(path.bytes)) is a .torrent: publish its content by its path; a .torrent itself can be "
        + "published in a folder")
  }

  /// Who tells of the new version.
  private enum Spread {
    case nobody
    /// A seed of the folder that runs: its process, where that is known.
    case seed(Int?)
    case told(HeadSpread)
  }

  private func spread(
    _ head: Head, after previous: Head?, _ source: PublishedSource, _ state: StateFolder
  ) throws(Failure) -> Spread {
    if isQuiet { return .nobody }
    if let infohash = previous?.infohashV2, let name = DatasetName(v1: nil, v2: infohash) {
      do throws(StateError) {
        _ = try state.open(name, content: source.path)
      } catch {
        if case .inUse(let process, _) = error { return .seed(process) }
      }
    }
    return .told(
      try HeadSpread.run(
        head, network, state: state, display: options.isJSON ? nil : StatusDisplay(isJSON: false),
        atMost: timeout))
  }

  private func report(
    _ info: InfoDictionary, _ source: PublishedSource, isNew: Bool, _ run: PublicationRun,
    _ warnings: [String], _ diff: VersionDiff?,
    spread: () throws(Failure) -> Spread = { () throws(Failure) in .nobody }
  ) throws(Failure) {
    let state = try options.stateFolder()
    let link = MagnetLink(info, key: source.key, readKey: try state.readKey(of: source.key))
    let summary = InfoSummary(info)
    if options.isJSON {
      var (nodes, peers, process): (Int?, Int?, Int?) = (nil, nil, nil)
      switch try spread() {
      case .nobody: break
      case .seed(let number): process = number
      case .told(let told): (nodes, peers) = (told.nodes, told.peers)
      }
      let more: [(String, JSON)] = [
        ("dataset_key", .text(source.key.hex)), ("magnet", .text(link.secretURI)),
        ("private_dataset", .bool(link.isPrivate)),
        ("path", .text(printable(source.path))), ("published_now", .bool(isNew)),
        ("hashed", .number(run.hashed)), ("differing_bytes", .number(orNull: diff?.differingBytes)),
        ("warnings", .list(warnings.map { .text($0) })),
        ("traces", .list(info.tracedFiles.map { .text("\($0)") })),
        ("dht_nodes", .number(orNull: nodes.map { UInt64($0) })),
        ("peers", .number(orNull: peers.map { UInt64($0) })),
        ("seed_process", .number(orNull: process.map { UInt64($0) })),
      ]
      try Console.result(JSON.object(summary.json + more).rendered)
      return
    }
    if !isNew {
      let number = run.previous?.version ?? 0
      Console.note("nothing changed since version \(number) was published")
    }
    var rows = summary.rows
    if isNew {
      rows.append(("hashed", Quantity.bytes(run.hashed)))
      if let diff { rows.append(("new", DiffView(diff).summary)) }
    }
    for file in info.tracedFiles { rows.append(("boot trace of", "\(file)")) }
    rows += [
      ("dataset key", source.key.hex), ("path", printable(source.path)), ("link", link.secretURI),
    ]
    try Console.result(table(rows))
    guard isNew else { return }
    switch try spread() {
    case .nobody: Console.note("swarm seed \(printable(source.path)) will announce it")
    case .seed(let process):
      let number = process.map { ", process \($0)," } ?? ""
      Console.note("the running swarm seed of it\(number) announces it")
    case .told(let told):
      Console.note(told.text(version: info.version?.number ?? 0))
      Console.note("swarm seed \(printable(source.path)) shares its content")
    }
  }
}

/// What decides how a path is published, the first time.
struct DatasetOptions: ParsableArguments {
  @Option(
    help: """
      For a folder or file: publish under this key, whose secret is here (swarm key list). (default: the \
      key that the path has, else a new one)
      """)
  var key: KeyArgument?

  @Option(help: "The dataset's name, for a folder or file. (default: its own name)")
  var name: BytePath?

  @Option(help: "The BitTorrent version, for a folder or file. (default: v2)")
  var format: TorrentKind?

  @Option(
    help: """
      For a folder or file: bytes in a piece, a power of two from 16K to 256M, or "auto". (default: auto)
      """)
  var pieceLength: PieceLength?

  @Flag(
    name: .customLong("private"),
    help: """
      For a folder or file that is published for the first time: make it a private dataset, which nobody \
      can find or read without its link (docs/private.md). It stays private.
      """)
  var isPrivate = false

  /// Whether any of them is given.
  var isAny: Bool {
    key != nil || name != nil || format != nil || pieceLength != nil || isPrivate
  }

  /// What is said where they are given with something else.
  static let forFolders =
    "--key, --name, --format, --piece-length and --private are for a folder or file that is shared"

  /// The dataset that a path is, or becomes.
  ///
  /// - Parameter offersPlain: whether --no-key is a way out where the path is published otherwise.
  func source(
    of path: [UInt8], in state: StateFolder, offersPlain: Bool = false
  ) throws(Failure) -> PublishedSource {
    if let name {
      do { _ = try PathElement(name.bytes) } catch {
        throw Failure("\(ImportError.name(name.bytes, error))")
      }
    }
    if format == .v1 {
      throw Failure(
        "a v1 torrent has no hash tree that a dataset's key could vouch for; use v2 or hybrid")
    }
    let real = try Failure.wrap { try RealPath.resolve(path) }
    try SeedSource.refuseDevice(real)
    do {
      return try state.publish(
        real, key: key?.key, name: name?.bytes, kind: format, pieceLength: pieceLength?.bytes,
        isPrivate: isPrivate, calledBy: name == nil ? lastName(path, real, state) : nil)
    } catch PublicationError.otherSource(let path, let how) where offersPlain {
      let error = PublicationError.otherSource(path, how)
      let isPublic = try state.publishedSource(at: path).map { source throws(Failure) in
        try state.readKey(of: source.key) == nil
      }
      throw Failure(
        "\(error)" + (isPublic == true ? "; --no-key shares it as it is, without a key" : ""))
    } catch {
      throw (error as? Failure) ?? Failure("\(error)")
    }
  }

  /// The name as the user gave it the first time: that of a link to the folder, not of the folder.
  private func lastName(_ path: [UInt8], _ real: [UInt8], _ state: StateFolder) throws -> [UInt8]? {
    if state.publishedSource(at: real) != nil { return nil }
    let name = try RealPath.lastName(of: path)
    do { _ = try PathElement(name) } catch { throw Failure("\(ImportError.name(name, error))") }
    return name
  }
}

/// A dataset's key on the command line: its digits, or a link that has it.
struct KeyArgument: ExpressibleByArgument {
  let key: DatasetKey

  init?(argument: String) {
    guard let text = try? LinkInput.resolve(BytePath.decode(argument)),
      case .link(let link)? = try? LinkArgument(parsing: text),
      let key = link.datasetKey
    else { return nil }
    self.key = key
  }
}
