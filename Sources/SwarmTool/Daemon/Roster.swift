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
    /// Whether it is being found out how it can be taken part in.
    var isBeingPlanned = false
    /// It was taken out meanwhile.
    var onPlanned: (() -> Void)?

    init(_ id: String, _ request: AddRequest, _ teller: DaemonTeller) {
      self.id = id
      self.request = request
      self.teller = teller
    }
  }

  /// Held by who reads a torrent over HTTP.
  final class Lease {}

  /// A torrent that is read over HTTP as long as its lease is there.
  struct HeldTorrent {
    let torrent: TorrentID
    weak var lease: Lease?
  }

  /// Of reads over HTTP that go on, and of some that have ended.
  var leases: [HeldTorrent] = []

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
  /// Those that are to be taken part in once it is known how.
  private var joining: [Entry] = []
  /// Those that were taken out before that was known.
  private var dropped: Set<String> = []
  /// Where that is found out.
  private(set) lazy var planner = SideThread(on: loop)
  /// Whose status is told first.
  private var nextStatus = 0
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
  /// Bytes of statuses in one tick, half of what a listener may leave unread.
  private static let statusBytes = 128 << 10
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
          + " has the state folder in use: \(printable(state.path)); stop it, or name another by "
          + "--state")
    }
    record = try Self.record(in: state)
    do throws(SystemError) {
      devices = try NBDServer(at: devicesPath, for: node, log: log)
    } catch {
      throw .ofSocket(error, option: "--sockets")
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
    planner.close()
    for entry in entries { entry.member?.end() }
    devices.close()
  }

  /// Time has passed: about a second.
  func tick() {
    for entry in entries {
      if let member = entry.member {
        member.tick()
        member.updateFigures()
      } else if !entry.isBeingPlanned, ContinuousClock.now >= entry.nextTry {
        begin(entry)
      }
    }
  }

  /// Tells how each dataset is doing of which there is something new.
  func tellStatus() {
    // Of a thousand datasets at once more than a listener may leave unread: they take turns.
    var bytes = 0
    let first = nextStatus < entries.count ? nextStatus : 0
    for (place, entry) in (entries[first...] + entries[..<first]).enumerated() {
      if bytes > Self.statusBytes {
        nextStatus = (first + place) % entries.count
        return
      }
      guard let member = entry.member, member.torrent != nil else { continue }
      let around = member.surroundings.current(of: node)
      let members = member.figures.json.filter { $0.0 != "event" } + around.json
      let line = JSON.object(members).line
      if line == entry.lastStatus { continue }
      entry.lastStatus = line
      bytes += line.utf8.count
      tell("status", entry.id, members)
    }
  }

  // MARK: Members

  private func teller(_ id: String) -> DaemonTeller {
    DaemonTeller(id, lines) { [unowned self] in tell($0, $1, $2) }
  }

  private func begin(_ entry: Entry) {
    guard !isOver, !entry.isBeingPlanned else { return }
    plan(entry) { [unowned self] result in
      if let onPlanned = entry.onPlanned { return onPlanned() }
      guard !isOver else { return }
      do throws(Failure) { start(entry, try result.get()) } catch { fail(entry, error.message) }
    }
  }

  /// Takes part in it. What is in the way is its fault then.
  private func start(_ entry: Entry, _ planned: Planned) {
    entry.link = planned.link
    if let name = planned.name { entry.teller.name = printable(name) }
    entry.fault = nil
    let member = Member(planned.plan, of: self, state: state, teller: entry.teller)
    entry.member = member
    member.tellsOfPeers = network.isVerbose
    member.begin()
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

  /// A wish is new: it is remembered if it can be fulfilled.
  func insert(
    _ request: AddRequest, completion: @escaping (Result<Entry, ControlFailure>) -> Void
  ) {
    let state = state
    perform {
      var request = request
      if case .path(let path) = request.link { request.link = .path(try RealPath.resolve(path)) }
      request.link = try Self.kept(request.link, in: state)
      // From here on it is in the state folder, and in no file of wishes.
      if case .link(var link) = request.link {
        try link.unlock(in: state)
        link.readKey = nil
        request.link = .link(link)
      }
      return (request, try Self.id(of: request, in: state))
    } completion: { [unowned self] result in
      do throws(ControlFailure) {
        let (request, id) = try result.mapError { ControlFailure.invalid($0.message) }.get()
        try refuseSecond(id)
        let entry = Entry(id, request, teller(id))
        joining.append(entry)
        plan(entry) { [unowned self] result in
          joining.removeAll { $0 === entry }
          completion(Result { () throws(ControlFailure) in try insert(entry, result) })
        }
      } catch {
        completion(.failure(error))
      }
    }
  }

  private func refuseSecond(_ id: String) throws(ControlFailure) {
    guard entries.count + joining.count < Self.mostDatasets else {
      throw .conflict("the daemon has \(entries.count) datasets, which is the most it can have")
    }
    if let present = (entries + joining).first(where: { $0.id == id }) {
      throw .conflict(
        "the daemon already has "
          + (present.teller.name.isEmpty ? "" : "\(present.teller.name), ") + id
      )
    }
    if leaving.contains(where: { $0.id == id }) || dropped.contains(id) {
      throw .conflict("the dataset is being removed; try again in a moment")
    }
  }

  private func insert(
    _ entry: Entry, _ result: Result<Planned, Failure>
  ) throws(ControlFailure) -> Entry {
    if isOver { throw .unavailable("the daemon is stopping") }
    let planned = try result.mapError { ControlFailure.conflict($0.message) }.get()
    // What fails at once tells of it by the entry.
    entries.append(entry)
    start(entry, planned)
    if let fault = entry.fault {
      entries.removeLast()
      throw .conflict(fault)
    }
    record.datasets.append(entry.request)
    do throws(ControlFailure) {
      try keepRecord()
    } catch {
      entries.removeLast()
      record.datasets.removeLast()
      if let member = entry.member { leave(member, of: entry) }
      throw error
    }
    entry.teller.note("added")
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
    entry.teller.note("removed")
    updateDevices()
    if entry.isBeingPlanned {
      // What holds it against others is let go when that is over.
      dropped.insert(entry.id)
      entry.onPlanned = { [unowned self] in
        dropped.remove(entry.id)
        onGone(nil)
      }
      return
    }
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
