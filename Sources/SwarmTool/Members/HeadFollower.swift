import Metainfo
import SwarmNode

/// What the heads of a dataset mean to a session: which version it is about.
///
/// Invariant: the head only ever gives way to one with a larger number.
struct HeadFollower {
  /// What a head leads to.
  enum Outcome {
    /// Nothing new.
    case nothing
    /// Another version: from now on the session is about it.
    case begin(Member.Subject)
    /// The version cannot be taken part in yet; why. It is tried again.
    case failed(String)
  }

  /// The newest head that was seen.
  private(set) var head: Head?
  /// One whose version could not be taken part in yet.
  private(set) var pending: Head?
  private let dataset: Member.Dataset

  init(_ dataset: Member.Dataset) {
    self.dataset = dataset
    head = dataset.head
  }

  /// A head came, from wherever.
  mutating func take(_ newer: Head) -> Outcome {
    if let head, head.version > newer.version { return .nothing }
    head = newer
    pending = nil
    do {
      return try dataset.version(newer).map { .begin($0) } ?? .nothing
    } catch {
      // What publishes it may still hold it.
      pending = newer
      return .failed(Member.text(of: error))
    }
  }

  /// Time passed: what could not be taken part in may be now.
  mutating func retry() -> Outcome { pending.map { take($0) } ?? .nothing }

  /// A head that another process on this machine has published since; nil for none. To be told to
  /// the node, from which it comes back as any other.
  func published() -> Head? {
    guard dataset.isOurs, let found = dataset.watch(), found.version > head?.version ?? 0 else {
      return nil
    }
    return found
  }
}
