import SwarmNode

/// Looks from time to time whether a folder is still as it was published, on another thread.
///
/// Belongs to the loop's thread.
final class FolderWatch {
  /// How it differs from what was published, as of the last look.
  private(set) var changes: FolderChanges

  private let loop: EventLoop
  private let look: @Sendable () -> FolderChanges
  private let onChange: (FolderChanges) -> Void
  private var next = ContinuousClock.now + FolderWatch.leastInterval
  private var isLooking = false
  private var isClosed = false

  /// Between two looks: soon enough for who looks at the status.
  private static let leastInterval = Duration.seconds(10)
  /// How much longer than a look it is until the next: a folder with a million files takes seconds.
  private static let share = 20

  /// `onChange` is told on the loop when it differs otherwise than before; `changes` is known already.
  init(
    on loop: EventLoop, changes: FolderChanges, look: @escaping @Sendable () -> FolderChanges,
    onChange: @escaping (FolderChanges) -> Void
  ) {
    self.loop = loop
    self.changes = changes
    self.look = look
    self.onChange = onChange
  }

  /// Time has passed.
  func tick() {
    guard !isLooking, !isClosed, ContinuousClock.now >= next else { return }
    isLooking = true
    let start = ContinuousClock.now
    loop.perform(look) { [weak self] found in self?.looked(found, since: start) }
  }

  /// Something has changed for certain: the next tick looks.
  func hurry() { next = .now }

  /// Looks no more.
  func close() { isClosed = true }

  private func looked(_ found: FolderChanges, since start: ContinuousClock.Instant) {
    isLooking = false
    let end = ContinuousClock.now
    next = end + max(Self.leastInterval, (end - start) * Self.share)
    guard !isClosed, found != changes else { return }
    changes = found
    onChange(found)
  }
}
