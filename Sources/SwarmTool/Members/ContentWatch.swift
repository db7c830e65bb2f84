import Metainfo
import Swarm
import SwarmNode

/// Looks from time to time whether what was fetched is still where it was put: somebody may have removed it, or moved
/// it away, and what is not there is not shared.
///
/// Belongs to the loop's thread.
final class ContentWatch {
  private let watch: FolderWatch
  private let look: @Sendable () -> FolderChanges
  /// Files that are looked for.
  private let count: Int
  private var last: FolderChanges?

  /// With more files than these the last look, for which the end waits, is left out.
  private static let mostAtEnd = 10_000

  /// Of all that was asked for of a torrent whose content is at a path.
  init(
    on loop: EventLoop, _ info: InfoDictionary, at path: [UInt8],
    wanted: (@Sendable (Int, FileEntry) -> Bool)?, teller: any Teller
  ) {
    let look: @Sendable () -> FolderChanges = {
      FolderChanges.missing(of: info, at: path) { wanted?($0, $1) ?? true }
    }
    (self.look, count) = (look, info.files.count)
    watch = FolderWatch(on: loop, changes: FolderChanges(), look: look) { changes in
      if changes.count == 0 {
        teller.note("\(printable(path)) is there again")
      } else {
        teller.warn(
          "\(Self.text(changes, path)): what is not there is not shared; start the command again to fetch it"
        )
      }
    }
  }

  /// Files that are not there, as of the last look.
  var missing: Int { (last ?? watch.changes).count }

  /// Time has passed.
  func tick() { watch.tick() }

  /// Looks once more, at once, and then no more.
  func end() {
    watch.close()
    if last == nil, count <= Self.mostAtEnd { last = look() }
  }

  static func text(_ changes: FolderChanges, _ path: [UInt8]) -> String {
    guard let first = changes.first.first else { return "" }
    let name = printable(path.appending(name: first))
    if changes.count == 1 || first.isEmpty { return "\(name) is gone" }
    return "\(changes.count) files of \(printable(path)) are gone, \(name) first"
  }
}
