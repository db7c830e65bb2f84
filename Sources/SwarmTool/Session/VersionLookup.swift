import ArgumentParser
import Glibc
import Metainfo
import Swarm
import SwarmNode

/// How long, and whether at all, a command that looks things up asks others.
struct LookupOptions: ParsableArguments {
  @OptionGroup var network: NetworkOptions

  @Option(help: "Seconds to ask others for what is not known here.")
  var timeout: Int = 30

  @Flag(help: "Ask nobody: show only what is known here.")
  var offline = false

  func validate() throws {
    if timeout < 1 { throw ValidationError("--timeout \(timeout): at least 1") }
  }
}

/// Gets what the state folder lacks of a dataset's versions from others: metadata, and piece layers
/// where figures need them. What comes is kept there.
struct VersionLookup {
  /// Why not all came; nil where it did.
  private(set) var shortfall: String?

  private let dataset: KeyedDataset
  private let salt: [UInt8]
  private let readKey: ReadKey?
  private let state: StateFolder
  private let options: LookupOptions
  private let display: StatusDisplay?
  private let peers: [PeerAddress]
  private var run: ShortRun?
  private let deadline: ContinuousClock.Instant

  init(
    _ known: KnownDataset, state: StateFolder, options: LookupOptions, display: StatusDisplay?
  ) {
    dataset = known.dataset
    (salt, readKey) = (known.salt, known.readKey)
    self.state = state
    self.options = options
    self.display = display
    peers = known.peers + options.network.peers.map(\.address)
    deadline = .now + .seconds(options.timeout)
  }

  /// Sees to it that what is looked for is in the state folder. Throws where there is no such version.
  mutating func find(_ goal: VersionSearch.Goal) throws(Failure) {
    let search = VersionSearch(
      goal, of: dataset, salt: salt, readKey: readKey, state: state, asking: peers)
    search.warn = { Console.warn($0) }
    do throws(VersionSearchError) {
      if try search.findHere() != nil, options.offline || !asksForNewer(goal) { return }
    } catch {
      throw Failure("\(error)")
    }
    if options.offline {
      if case .newerHead(let number) = search.waiting, let head = search.head {
        throw Failure("there is no version \(number): the newest known here is \(head.version)")
      }
      shortfall = "not all is known here, and --offline asks nobody"
      return
    }
    if options.network.isAlone(named: peers.count) {
      shortfall =
        "not all is known here, and there is nobody to ask: the DHT and the local network are off, and no peer is "
        + "named (--peer HOST:PORT)"
      return
    }
    let run = try ShortRun(options.network, state: state, display: display)
    var failure: VersionSearchError?
    var isDone = false
    search.onEnd = {
      if case .failure(let error) = $0 { failure = error }
      isDone = true
    }
    run.onNotice = { search.take($0) }
    search.start(on: run.node)
    var waited = search.waiting
    run.run(atMost: left) { [display, dataset, options, peers] in
      search.tick()
      if search.waiting != .nothing { waited = search.waiting }
      if isDone { return true }
      display?.show(
        SearchView(
          search.waiting, of: dataset.key, on: run.node, options.network, named: peers.count,
          since: run.start)
      )
      return false
    }
    if let failure { throw Failure("\(failure)") }
    if !isDone { shortfall = Self.text(waited, dataset.key, options.timeout) }
  }

  /// Whether others may know more than what is here: which version is the newest changes, unless it is
  /// published here, and what is in a version does not.
  private func asksForNewer(_ goal: VersionSearch.Goal) -> Bool {
    guard case .newest = goal else { return false }
    return ((try? state.keys.secret(of: dataset.key)) ?? nil) == nil
  }

  /// Seconds that are left.
  private var left: Int {
    max(1, Int((deadline - ContinuousClock.now).components.seconds) + 1)
  }

  private static func text(
    _ waiting: VersionSearch.Waiting, _ key: DatasetKey, _ seconds: Int
  ) -> String {
    switch waiting {
    case .nothing, .head: "nobody reported a version of \(key) within \(seconds) s"
    case .newerHead(let number): "nobody reported a version \(number) within \(seconds) s"
    case .version(let number):
      "nobody sent version \(number) within \(seconds) s; the same command continues from there"
    }
  }

  // MARK: Piece layers

  /// Gets the piece layers of files by which it can be told which of their pieces differ; where they do
  /// not come in time, figures stay estimates.
  mutating func findLayers(
    _ wanted: [(torrent: KnownTorrent, files: [Int])], isEnough: @escaping () -> Bool
  ) throws(Failure) {
    let isAlone = options.network.isAlone(named: peers.count)
    guard !options.offline, !isAlone, shortfall == nil,
      wanted.contains(where: { !$0.files.isEmpty })
    else {
      return
    }
    // The node looks for content somewhere; here it finds none, and wants none.
    let parent = StateFolder.environment("TMPDIR") ?? Array("/tmp".utf8)
    var template =
      (parent + Array("/swarm-lookup-XXXXXX".utf8)).map { CChar(bitPattern: $0) } + [0]
    guard mkdtemp(&template) != nil else {
      throw Failure(
        "cannot make a folder in \(printable(parent)): \(String(cString: strerror(errno)))")
    }
    let path = template.dropLast().map { UInt8(bitPattern: $0) }
    defer { Self.remove(path) }
    let run = try ShortRun(options.network, state: state, display: display)
    var infos: [TorrentID: InfoDictionary] = [:]
    run.node.onPieceLayers = { [state] torrent, layers in
      guard let info = infos[torrent] else { return }
      try? state.keep(KnownTorrent(info: info, pieceLayers: layers))
    }
    for (torrent, files) in wanted where !files.isEmpty {
      if readKey == nil {
        try state.refusePrivate(v1: torrent.info.infohashV1, v2: torrent.info.infohashV2)
      }
      var request = TorrentRequest(
        source: .torrent(torrent.info, torrent.pieceLayers), content: .inPlace(claimsAll: false))
      request.dataset = dataset.key
      request.readKey = readKey
      request.wanted = { _, _ in false }
      let folders = TorrentFolders(content: path, maps: path + Array("/maps".utf8))
      guard let id = try? run.node.add(request, folders: { _, _ in folders }) else { continue }
      infos[id] = torrent.info
      for peer in peers { run.node.resolve(peer, for: id) }
      run.node.fetchPieceLayers(ofFiles: files, in: id)
    }
    display?.note("asking others which pieces differ")
    run.run(atMost: left, isDone: isEnough)
  }

  /// Removes what the node has made: block maps of nothing.
  private static func remove(_ path: [UInt8]) {
    let maps = path + Array("/maps".utf8)
    let scan = try? FolderScanner.scan(maps)
    for name in scan?.items.compactMap(\.names.first) ?? [] {
      _ = unlink((maps + [UInt8(ascii: "/")] + name).map { CChar(bitPattern: $0) } + [0])
    }
    for folder in [maps, path] { _ = rmdir(folder.map { CChar(bitPattern: $0) } + [0]) }
  }
}
