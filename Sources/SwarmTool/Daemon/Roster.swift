import Glibc
import Metainfo
import Swarm
import SwarmNode
import Wire

/// The datasets that a daemon takes part in, on one node, and what of them it offers.
///
/// What is wished for is on disk before it is said to be done, so that a restart goes on with it.
/// Belongs to the loop's thread.
final class Roster: MemberHost {
  /// A dataset that is wished for.
  final class Entry {
    let id: String
    let request: AddRequest
    let teller: DaemonTeller
    /// The link that people pass on.
    var link = MagnetLink()
    /// nil while it cannot be taken part in.
    var member: Member?
    /// Why not; nil where it can.
    var fault: String?
    /// What was told of it last.
    var lastStatus = ""
    /// When it is tried again.
    var nextTry = ContinuousClock.now

    init(_ id: String, _ request: AddRequest, _ teller: DaemonTeller) {
      self.id = id
      self.request = request
      self.teller = teller
    }
  }

  let loop: EventLoop
  let node: Node
  let network: NetworkOptions
  let state: StateFolder
  let devices: NBDServer
  let devicesPath: [UInt8]
  var entries: [Entry] = []
  var record = RosterRecord()
  /// Those that are taken out, until all of theirs is closed.
  private var leaving: [(id: String, member: Member, onGone: (ControlFailure?) -> Void)] = []
  private let lines: DaemonLines
  private let tell: (String, String?, [(String, JSON)]) -> Void
  /// Holds the record against other daemons.
  private let lock: StateFolder.Lock
  let startTime = ContinuousClock.now
  private var isOver = false

  /// Between two attempts to take part in what could not be.
  private static let retryInterval = Duration.seconds(30)
  /// Datasets at the most: each has a swarm or two, and the state file a bound.
  static let mostDatasets = 1_000
  /// Exports at the most.
  static let mostExports = 10_000

  /// A roster with what the state folder has. `tell` is told events.
  init(
    on loop: EventLoop, node: Node, network: NetworkOptions, state: StateFolder, sockets: [UInt8],
    lines: DaemonLines, log: Log, tell: @escaping (String, String?, [(String, JSON)]) -> Void
  ) throws(Failure) {
    self.loop = loop
    self.node = node
    self.network = network
    self.state = state
    self.lines = lines
    self.tell = tell
    devicesPath = sockets.appending(name: Array("nbd.sock".utf8))
    do throws(StateError) {
      lock = try state.lockForDaemon()
    } catch {
      guard case .inUse(let process, _) = error else { throw Failure("\(error)") }
      throw Failure(
        "another swarm daemon" + (process.map { ", process \($0)," } ?? "")
          + " has the state folder in use: \(printable(state.path))")
    }
    record = try Self.record(in: state)
    devices = try Failure.wrap { [devicesPath] in
      try NBDServer(at: devicesPath, for: node, log: log)
    }
    devices.lookUp = { [unowned self] in device(named: $0) }
    devices.onTrace = { [unowned self] export, use in
      let entry = entries.first { $0.member?.owns(export.torrent) == true }
      entry?.teller.tell(use, of: export)
    }
    node.onNotice = { [unowned self] in take($0) }
    node.onPieceLayers = { [unowned self] torrent, layers in
      entries.first { $0.member?.owns(torrent) == true }?.member?.take(layers, of: torrent)
    }
    for request in record.datasets {
      let id = try Self.id(of: request, in: state)
      entries.append(Entry(id, request, teller(id)))
    }
  }

  /// Begins to take part in what there is.
  func begin() { for entry in entries { begin(entry) } }

  /// Ends all members; the node is stopped by who has it.
  func end() {
    isOver = true
    for entry in entries { entry.member?.end() }
    devices.close()
  }

  /// Time has passed: about a second.
  func tick() {
    for entry in entries {
      if let member = entry.member {
        member.tick()
        member.updateFigures()
      } else if ContinuousClock.now >= entry.nextTry {
        begin(entry)
      }
    }
  }

  /// Tells how each dataset is doing of which there is something new.
  func tellStatus() {
    for entry in entries {
      guard let member = entry.member, member.torrent != nil else { continue }
      let around = member.surroundings.current(of: node)
      let members = member.figures.json.filter { $0.0 != "event" } + around.json
      let line = JSON.object(members).line
      if line == entry.lastStatus { continue }
      entry.lastStatus = line
      tell("status", entry.id, members)
    }
  }

  // MARK: Members

  private func teller(_ id: String) -> DaemonTeller {
    DaemonTeller(id, lines) { [unowned self] in tell($0, $1, $2) }
  }

  private func begin(_ entry: Entry) {
    guard !isOver else { return }
    do throws(Failure) {
      try start(entry)
    } catch {
      fail(entry, error.message)
    }
  }

  /// Takes part in it. Throws what is in the way.
  func start(_ entry: Entry) throws(Failure) {
    let (plan, link, name) = try Failure.wrap { try self.plan(entry) }
    entry.link = link
    if let name { entry.teller.name = printable(name) }
    entry.fault = nil
    let member = Member(plan, of: self, state: state, teller: entry.teller)
    entry.member = member
    member.begin()
  }

  private func plan(_ entry: Entry) throws -> (Member.Plan, MagnetLink, [UInt8]?) {
    let request = entry.request
    if case .path(let path) = request.link, let published = state.publishedSource(at: path) {
      let source = try SeedSource.ofDataset(published, state: state, teller: entry.teller)
      let info = source.torrent.info
      return (
        try source.plan(
          in: state, peers: request.peers + network.peers.map(\.address), entry.teller),
        MagnetLink(info, key: published.key), info.name.bytes
      )
    }
    let globs = try request.only.map { text in
      guard let glob = Glob(Array(text.utf8)) else {
        throw Failure("\(printable(Array(text.utf8))) is no pattern of files")
      }
      return glob
    }
    var reading = ReadingPolicy()
    reading.isSparse = request.isSparse
    return try JoinRequest(
      subject: Self.subject(of: request.link),
      directory: request.directory ?? contentFolder(of: entry.id), globs: globs,
      keep: request.keep.map { Int($0) }, reading: reading,
      needed: Set(record.exports.filter { $0.dataset == entry.id }.compactMap(\.version)),
      peers: request.peers + network.peers.map(\.address)
    ).plan(in: state, entry.teller)
  }

  /// Where content goes that nobody gave a place.
  private func contentFolder(of id: String) -> [UInt8] {
    state.path.appending(name: Array("content/\(id)".utf8))
  }

  private func fail(_ entry: Entry, _ reason: String) {
    if entry.fault != reason { entry.teller.warn(reason) }
    entry.fault = reason
    entry.nextTry = .now + Self.retryInterval
  }

  // MARK: What members tell

  func canBeRead(_ member: Member) {
    if let info = member.info { entry(of: member)?.teller.name = printable(info.name.bytes) }
    updateDevices()
  }

  func isComplete(_ member: Member) {}

  func failed(_ member: Member, _ reason: String) {
    guard let entry = entry(of: member) else { return }
    leave(member, of: entry)
    entry.member = nil
    fail(entry, reason)
  }

  private func entry(of member: Member) -> Entry? { entries.first { $0.member === member } }

  private func take(_ notice: Notice) {
    if let torrent = notice.torrent {
      let members = entries.lazy.compactMap(\.member) + leaving.map(\.member)
      members.first { $0.owns(torrent) }?.take(notice)
      if case .closed = notice { forgetClosed() }
      return
    }
    switch notice {
    case .head(let key, _), .keyUsedTwice(let key, _):
      for entry in entries {
        guard let plan = entry.member?.plan else { continue }
        if plan.dataset?.key == key || plan.search?.key == key { entry.member?.take(notice) }
      }
    default:
      for entry in entries where entry.member?.plan.search != nil { entry.member?.take(notice) }
    }
  }

  // MARK: Coming and going

  /// A wish is new: the id under which it is known.
  func insert(_ request: AddRequest) throws(ControlFailure) -> Entry {
    guard entries.count < Self.mostDatasets else {
      throw .conflict("the daemon has \(entries.count) datasets, and takes no more")
    }
    var request = request
    if case .path(let path) = request.link {
      do throws(SystemError) {
        request.link = .path(try RealPath.resolve(path))
      } catch {
        throw .invalid("\(error)")
      }
    }
    let id: String
    do throws(Failure) {
      request.link = try kept(request.link)
      id = try Self.id(of: request, in: state)
    } catch {
      throw .invalid(error.message)
    }
    if let present = entries.first(where: { $0.id == id }) {
      throw .conflict(
        "the daemon takes part in \(present.teller.name.isEmpty ? id : present.teller.name) already"
      )
    }
    if leaving.contains(where: { $0.id == id }) {
      throw .conflict("the dataset is being taken out; try again in a moment")
    }
    let entry = Entry(id, request, teller(id))
    // What fails at once tells of it by the entry.
    entries.append(entry)
    begin(entry)
    if let fault = entry.fault {
      entries.removeLast()
      throw .conflict(fault)
    }
    record.datasets.append(request)
    do throws(ControlFailure) {
      try keepRecord()
    } catch {
      entries.removeLast()
      record.datasets.removeLast()
      if let member = entry.member { leave(member, of: entry) }
      throw error
    }
    entry.teller.note("taken part in from now on")
    return entry
  }

  /// Takes part no more.
  func take(out entry: Entry, onGone: @escaping (ControlFailure?) -> Void) throws(ControlFailure) {
    guard let index = entries.firstIndex(where: { $0 === entry }) else { return onGone(nil) }
    let before = record
    record.datasets.remove(at: index)
    record.exports.removeAll { $0.dataset == entry.id }
    do throws(ControlFailure) {
      try keepRecord()
    } catch {
      record = before
      throw error
    }
    entries.remove(at: index)
    entry.teller.note("taken part in no more")
    updateDevices()
    guard let member = entry.member else { return onGone(nil) }
    leave(member, of: entry, onGone: onGone)
  }

  /// The node closes all that the member had.
  private func leave(
    _ member: Member, of entry: Entry, onGone: @escaping (ControlFailure?) -> Void = { _ in }
  ) {
    member.leave()
    leaving.append((entry.id, member, onGone))
    forgetClosed()
  }

  private func forgetClosed() {
    let gone = leaving.filter { $0.member.hasLeft }
    leaving.removeAll { $0.member.hasLeft }
    for each in gone { each.onGone(nil) }
  }
}
