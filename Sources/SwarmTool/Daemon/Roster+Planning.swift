import Metainfo
import Swarm
import SwarmNode
import Wire

/// How datasets are taken part in is found out on a thread of its own: folders are scanned and hashed for
/// it, torrents read, and the loop answers others meanwhile.
extension Roster {
  /// How a dataset is taken part in.
  struct Planned {
    let plan: Member.Plan
    /// What people pass on.
    let link: MagnetLink
    /// What it is called, if that is known.
    let name: [UInt8]?
    /// Holds back what is told until it may be.
    fileprivate let teller: LateTeller
  }

  /// Finds out how the dataset is taken part in. `completion` is called on the loop, if the roster is not
  /// over by then.
  func plan(_ entry: Entry, completion: @escaping (Result<Planned, Failure>) -> Void) {
    let late = LateTeller(entry.teller)
    let (id, request, state) = (entry.id, entry.request, state)
    let peers = request.peers + network.peers.map(\.address)
    let needed = Set(record.exports.filter { $0.dataset == id }.compactMap(\.version))
    entry.isBeingPlanned = true
    perform {
      try Self.plan(id, request, in: state, peers: peers, needed: needed, late)
    } completion: { result in
      entry.isBeingPlanned = false
      late.open()
      completion(result)
    }
  }

  /// Runs work on the planning thread. One piece at a time: what it makes is the loop's afterwards.
  func perform<Value>(
    _ work: @escaping () throws -> Value, completion: @escaping (Result<Value, Failure>) -> Void
  ) {
    let errand = Handover(value: work)
    planner.perform {
      Handover(
        value: Result { try errand.value() }.mapError { Failure(Member.text(of: $0)) })
    } completion: { [weak self] outcome in
      if self != nil { completion(outcome.value) }
    }
  }

  private static func plan(
    _ id: String, _ request: AddRequest, in state: StateFolder, peers: [PeerAddress],
    needed: Set<UInt64>, _ teller: LateTeller
  ) throws -> Planned {
    if case .path(let path) = request.link, let published = state.publishedSource(at: path) {
      let source = try SeedSource.ofDataset(published, state: state, teller: teller)
      let info = source.torrent.info
      let plan = try source.plan(in: state, peers: peers, teller)
      return Planned(
        plan: plan,
        link: MagnetLink(info, key: published.key, readKey: plan.readKey), name: info.name.bytes,
        teller: teller)
    }
    let globs = try request.only.map { text in
      guard let glob = Glob(Array(text.utf8)) else {
        throw Failure("\(printable(Array(text.utf8))) is no pattern of files")
      }
      return glob
    }
    var reading = ReadingPolicy()
    reading.isSparse = request.isSparse
    // Where content goes that nobody gave a place.
    let usual = state.path.appending(name: Array("content/\(id)".utf8))
    let (plan, link, name) = try JoinRequest(
      subject: subject(of: request.link), directory: request.directory ?? usual, globs: globs,
      keep: request.keep.map { Int($0) }, reading: reading, needed: needed, peers: peers
    ).plan(in: state, teller)
    return Planned(plan: plan, link: link, name: name, teller: teller)
  }
}

/// Carries a value between two threads of which only one has it at a time.
private struct Handover<Value>: @unchecked Sendable {
  let value: Value
}

/// Keeps what is told on another thread until it may be told, on the loop's.
///
/// Not locked: before `open` one thread has it, then the loop.
final class LateTeller: Teller {
  private let target: any Teller
  /// nil once all is told at once.
  private var kept: [(any Teller) -> Void]? = []

  init(_ target: any Teller) { self.target = target }

  /// From now on.
  func open() {
    let told = kept ?? []
    kept = nil
    for each in told { each(target) }
  }

  func note(_ text: String) { tell { $0.note(text) } }
  func warn(_ text: String) { tell { $0.warn(text) } }
  func warnPeople(_ text: String) { tell { $0.warnPeople(text) } }
  func result(_ text: String) throws(Failure) { tell { try? $0.result(text) } }
  func event(_ name: String, _ members: [(String, JSON)]) { tell { $0.event(name, members) } }

  private func tell(_ what: @escaping (any Teller) -> Void) {
    if kept == nil { what(target) } else { kept?.append(what) }
  }
}
