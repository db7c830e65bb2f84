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
  }

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
      guard let torrent = try? host.node.add(other.request, folders: { _, _ in other.folders })
      else {
        continue
      }
      besides.append(Shared(torrent: torrent, version: other.version, holder: other.holder))
    }
  }

  /// Removes the old versions that are too many: first from the node, then from the disk.
  func removeSuperfluous() {
    guard let (removal, count) = plan.dataset?.removal() else { return }
    for number in removal.superfluous(keeping: count) {
      let shared = besides.first { $0.version == number }
      // One that is read stays until a later time.
      if let shared, host.isOffering(shared.torrent) { continue }
      guard removing.insert(number).inserted else { continue }
      if let shared, host.node.status(of: shared.torrent) != nil {
        host.node.remove(shared.torrent)
      } else {
        remove(number, by: removal)
      }
    }
  }

  /// The node has closed a torrent: what held it is let go.
  func closed(_ torrent: TorrentID) {
    guard let index = besides.firstIndex(where: { $0.torrent == torrent }) else { return }
    let version = besides.remove(at: index).version
    if let version, removing.contains(version), let (removal, _) = plan.dataset?.removal() {
      remove(version, by: removal)
    }
  }

  private func remove(_ number: UInt64, by removal: VersionRemoval) {
    host.loop.perform {
      Result { try removal.remove(number) }.mapError { Failure(Self.text(of: $0)) }
    } completion: { [self] result in
      removing.remove(number)
      switch result {
      case .success(let outcome):
        teller.event(
          "removed",
          [
            ("number", .number(number)), ("files", .number(UInt64(outcome.removed))),
            ("left", .list(outcome.left.map { .text(printable($0)) })),
          ])
        teller.note("the old version \(number) is removed")
        if let first = outcome.left.first {
          warn(
            "of version \(number) \(Quantity.count(outcome.left.count, "file")) stay, which were "
              + "changed since: \(printable(first))" + (outcome.left.count > 1 ? " and more" : ""))
        }
      case .failure(let failure):
        warn("the old version \(number) cannot be removed: \(failure.message)")
      }
    }
  }
}
