/// How content in the user's folder differs from what was published of it.
public struct FolderChanges: Hashable, Sendable {
  /// Files and symlinks that were changed, added or removed.
  public var count = 0
  /// The first of them, ascending: names from the content's folder down, joined by "/"; empty for
  /// content that is a file.
  public var first: [[UInt8]] = []
  /// Why the folder cannot be looked at; nil when it can.
  public var fault: String?

  /// How many are named.
  public static let named = 10

  /// No difference.
  public init() {}

  /// What differs between how it looked, and how it looks now: both ascending by path. Folders do not
  /// count, for no version has them.
  public init(from old: [ContentRecord.Item], to new: [ContentRecord.Item]) {
    var (before, after) = (old[...], new[...])
    while let path = [before.first?.path, after.first?.path].compactMap({ $0 })
      .min(by: { $0.lexicographicallyPrecedes($1) })
    {
      let was = before.first?.path == path ? before.popFirst() : nil
      let item = after.first?.path == path ? after.popFirst() : nil
      if was == item || [was, item].allSatisfy({ $0.map { $0.kind == "folder" } ?? true }) {
        continue
      }
      count += 1
      if first.count < Self.named { first.append(path) }
    }
  }

  /// How the content at `path` differs now from how it looked when it was published.
  public static func look(at path: [UInt8], since items: [ContentRecord.Item]) -> FolderChanges {
    do throws(SystemError) {
      return FolderChanges(from: items, to: ContentRecord.items(of: try FolderScanner.scan(path)))
    } catch {
      var changes = FolderChanges()
      changes.fault = "\(error)"
      return changes
    }
  }
}
