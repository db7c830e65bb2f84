import Glibc
import Synchronization

/// The folder of the content, by its path: where that is the user's, it can be removed and made anew,
/// or mounted again, at any time, and the one that was opened is then of no use any more.
final class ContentFolder: Sendable {
  /// One that was opened; closed when nobody uses it any more.
  final class Opened: Sendable {
    let folder: ConfinedFolder
    init(_ folder: consuming ConfinedFolder) { self.folder = folder }
  }

  private let current: Mutex<Opened>
  private let path: [UInt8]
  private let isFollowed: Bool

  /// - Parameter isFollowed: whether another folder at the same path may take this one's place. Not
  ///   where content is ours: what is known of it is known of the folder that it was written to.
  init(_ folder: consuming ConfinedFolder, isFollowed: Bool) {
    path = folder.path
    self.isFollowed = isFollowed
    current = Mutex(Opened(folder))
  }

  /// The one that is open.
  var opened: Opened { current.withLock { $0 } }

  /// What is at the path now.
  enum Place {
    case same, replaced, gone
  }

  /// Looks at the path, and opens what is there if it is another folder than the one that is open.
  func follow() -> Place {
    guard isFollowed else { return .same }
    var status = stat()
    guard path.withCPath({ stat($0, &status) }) == 0 else { return .gone }
    return current.withLock { current in
      if current.folder.isSame(as: status) { return .same }
      guard let folder = try? ConfinedFolder(path) else { return .gone }
      current = Opened(folder)
      return .replaced
    }
  }
}
