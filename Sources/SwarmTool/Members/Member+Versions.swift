import Metainfo
import Swarm
import SwarmNode

/// Versions of a dataset beside the one that a session is about: one that is looked for, older ones that
/// are shared on, and those that are removed.
extension Member {
  /// A torrent that is shared besides.
  struct Shared {
    let torrent: TorrentID
    /// Which version of the dataset it is; nil for what is none.
    let version: UInt64?
    /// What holds it against other processes, until it is gone.
    let holder: Any?
    /// Since when nobody has read it; nil for what is shared, whether it is read or not.
    var idleSince: ContinuousClock.Instant?
    /// The version that it describes, where it has no content.
    var described: UInt64?
    /// Whether the node was told to close it: nobody is to begin to read it.
    var isClosing = false
  }

  /// Opens an older version for who wants to read it; it is closed when nobody has for a while. nil where
  /// it is not known here what is in it, and while it is being opened (`opening`).
  func open(_ number: UInt64) throws -> TorrentID? {
    if let index = besides.firstIndex(where: { $0.version == number }) {
      if besides[index].isClosing {
        opening.insert(number)
        return nil
      }
      if besides[index].idleSince != nil { besides[index].idleSince = .now }
      return besides[index].torrent
    }
    if !plan.isSeed, let index = besides.firstIndex(where: { $0.described == number }) {
      // The same torrent, with no place for content: it must be gone first.
      opening.insert(number)
      close(index)
      return nil
    }
    guard !isOver, torrent != nil, let subject = try plan.dataset?.older(number) else { return nil }
    let torrent = try add(subject.request()) { try subject.folders($0, $1) }
    besides.append(
      Shared(torrent: torrent, version: number, holder: subject, idleSince: .now))
    for peer in plan.peers { host.node.resolve(peer, for: torrent) }
    if !met.isEmpty { host.node.add(peers: Array(met), from: .met, to: torrent) }
    teller.note("opening version \(number) to be read")
    return torrent
  }

  /// Closes what was kept for readers and that nobody has read for a while: longer than clients try to
  /// come back after a restart.
  func closeIdle() {
    for index in besides.indices {
      guard let since = besides[index].idleSince else { continue }
      if host.isInUse(besides[index].torrent) {
        besides[index].idleSince = .now
      } else if ContinuousClock.now - since > Self.idleTime {
        close(index)
      }
    }
    // Not before it is known what is read of them.
    if info != nil, figures.waiting != .checking { leaveOldest() }
  }

  /// Tells the node to close what is shared besides; `closed` comes then.
  func close(_ index: Int) {
    if besides[index].isClosing { return }
    besides[index].isClosing = true
    host.node.remove(besides[index].torrent)
  }

  private static let idleTime = Duration.seconds(120)

  /// Looks for the version that is asked for.
  func search() {
    guard let search = plan.search else { return }
    search.versions.onEnd = { [weak self] result in
      guard let self, !isOver else { return }
      do {
        guard let found = try result.get().first else { return }
        begin(try search.found(found))
      } catch {
        fail(Self.text(of: error))
      }
    }
    search.versions.start(on: host.node)
  }

  /// Remembers whom we are connected to.
  func meetPeers() {
    guard plan.dataset != nil else { return }
    for id in [torrent, meeting].compactMap({ $0 }) {
      for peer in host.node.peers(of: id) where !peer.isIncoming && met.count < Self.mostMet {
        met.insert(peer.endpoint)
      }
    }
  }

  /// Peers that are remembered: more than a torrent has connections.
  private static let mostMet = 200

  /// Begins to share what the plan names besides.
  func shareOthers() {
    for other in plan.others {
      guard let torrent = try? add(other.request, folders: { _, _ in other.folders })
      else {
        continue
      }
      besides.append(
        Shared(
          torrent: torrent, version: other.version, holder: other.holder, described: other.described
        ))
    }
  }

  /// Removes the old versions that are too many: first from the node, then from the disk.
  func removeSuperfluous() {
    guard let (removal, count) = plan.dataset?.removal() else { return }
    for number in removal.superfluous(keeping: count) {
      let index = besides.firstIndex { $0.version == number }
      // One that is read stays until a later time.
      if let index, host.isOffering(besides[index].torrent) { continue }
      if let held = heldVersions[number], held.again > .now { continue }
      guard removing.insert(number).inserted else { continue }
      if let index, host.node.status(of: besides[index].torrent) != nil {
        close(index)
      } else {
        remove(number, by: removal)
      }
    }
  }

  /// The node has closed a torrent: what held it is let go.
  func closed(_ torrent: TorrentID) {
    guard let index = besides.firstIndex(where: { $0.torrent == torrent }) else { return }
    let shared = besides.remove(at: index)
    let version = shared.version
    if let number = shared.described ?? version, opening.remove(number) != nil,
      !removing.contains(number), !isOver
    {
      do { if try open(number) != nil { host.canBeRead(self) } } catch {
        warn(Self.text(of: error))
      }
    }
    if let version, removing.contains(version), let (removal, _) = plan.dataset?.removal() {
      remove(version, by: removal)
    }
  }

  private func remove(_ number: UInt64, by removal: VersionRemoval) {
    host.loop.perform {
      Result { try removal.remove(number) }.mapError { RemovalFailure($0) }
    } completion: { [self] result in
      removing.remove(number)
      switch result {
      case .success(let outcome):
        heldVersions[number] = nil
        tellRemoved(number, outcome)
      case .failure(let failure) where failure.isHeld:
        // By another process that reads it; or by what closed it here, which is still on the loop's stack.
        let pause = heldVersions[number].map { min($0.pause * 2, Self.longestPause) } ?? .seconds(1)
        heldVersions[number] = (.now + pause, pause)
        // Once.
        if pause == .seconds(2) {
          warn("the old version \(number) cannot be removed yet: \(failure.message)")
        }
      case .failure(let failure):
        warn("the old version \(number) cannot be removed: \(failure.message)")
      }
    }
  }

  /// Tries to remove again what somebody had.
  func removeHeld() {
    let now = ContinuousClock.now
    let due = heldVersions.filter { $0.value.again <= now }
    guard !isOver, !due.isEmpty else { return }
    removeSuperfluous()
    // The rest is gone, or read again.
    for number in due.keys where !removing.contains(number) { heldVersions[number] = nil }
  }

  /// Between two attempts to remove what another process has.
  private static let longestPause = Duration.seconds(64)

  private func tellRemoved(_ number: UInt64, _ outcome: VersionRemoval.Outcome) {
    teller.event(
      "removed",
      [
        ("number", .number(number)), ("files", .number(UInt64(outcome.removed))),
        ("left", .list(outcome.left.map { .text(printable($0)) })),
      ])
    teller.note("the old version \(number) is removed")
    if let first = outcome.left.first {
      warn(
        "\(Quantity.count(outcome.left.count, "changed file")) of version \(number) stay"
          + "\(outcome.left.count == 1 ? "s" : ""): \(printable(first))"
          + (outcome.left.count > 1 ? " and more" : ""))
    }
  }
}

/// Why a version is not removed.
private struct RemovalFailure: Error {
  let message: String
  /// Whether somebody takes part in it, who may end.
  let isHeld: Bool

  init(_ error: any Error) {
    message = Member.text(of: error)
    if case .inUse? = error as? StateError { isHeld = true } else { isHeld = false }
  }
}
