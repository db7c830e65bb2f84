import Glibc
import Synchronization

/// The folder of the content, by its path. Where it is the user's it can be removed and made anew, or
/// mounted again, at any time, and the one that was opened is then of no use any more.
final class ContentFolder: Sendable {
  /// One that was opened; closed when nobody uses it any more.
  final class Opened: Sendable {
    let folder: ConfinedFolder
    init(_ folder: consuming ConfinedFolder) { self.folder = folder }
  }

  /// nil before the first use.
  private let current: Mutex<Opened?>
  private let path: [UInt8]
  private let isFollowed: Bool

  /// A folder in whose place no other is ever used: what is known of content that is ours is known of
  /// the folder that it was written to.
  init(_ folder: consuming ConfinedFolder) {
    path = folder.path
    isFollowed = false
    current = Mutex(Opened(folder))
  }

  /// The folder that is at a path whenever it is used, if there is one then.
  init(at path: [UInt8]) {
    self.path = path
    isFollowed = true
    current = Mutex(nil)
  }

  /// The one that is open.
  func opened() throws(DiskError) -> Opened {
    try current.withLock { (current) throws(DiskError) -> Opened in
      if let current { return current }
      let opened = Opened(try ConfinedFolder(path))
      current = opened
      return opened
    }
  }

  /// What is at the path now.
  enum Place {
    case same, replaced, gone
  }

  /// Looks at the path. If another folder is there than the one that is open, that one is let go.
  func follow() -> Place {
    guard isFollowed else { return .same }
    var status = stat()
    guard path.withCPath({ stat($0, &status) }) == 0 else { return .gone }
    return current.withLock { current in
      if let current, current.folder.isSame(as: status) { return .same }
      defer { current = nil }
      return current == nil ? .same : .replaced
    }
  }
}
