import CGuard
import Glibc
import Metainfo

/// A folder, and a way to reach what is in it and nothing else: whatever the names say and whatever
/// lies there, no symlink is followed below the folder and nothing outside is opened or made.
public struct ConfinedFolder: ~Copyable, Sendable {
  /// How names are resolved.
  enum Resolver: Sendable {
    /// openat2, one call a path; the other where the kernel lacks it.
    case fast
    /// openat, one call a name.
    case portable
  }

  private let descriptor: Int32
  /// The folder's own path, for errors.
  public let path: [UInt8]
  private let resolver: Resolver

  /// Opens a folder that is there. Its own path is the user's: symlinks in it are followed.
  public init(_ path: [UInt8]) throws(DiskError) { try self.init(path, resolver: .fast) }

  init(_ path: [UInt8], resolver: Resolver) throws(DiskError) {
    let flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC
    let descriptor = Glibc.open(Self.text(path), flags)
    guard descriptor >= 0 else { throw DiskError(.open, path, errno) }
    self.descriptor = descriptor
    self.path = path
    self.resolver = resolver
  }

  deinit { Glibc.close(descriptor) }

  /// Whether it is the folder that this was found of.
  func isSame(as status: stat) -> Bool {
    var own = stat()
    return fstat(descriptor, &own) == 0 && own.st_dev == status.st_dev
      && own.st_ino == status.st_ino
  }

  /// Opens a file below the folder. Never waits, not for a FIFO's other end either.
  ///
  /// - Parameters:
  ///   - flags: of openat(2); `O_CREAT` makes the file, in a folder that is there.
  ///   - mode: permissions of a file that is made, before the umask.
  func open(_ names: [PathElement], flags: Int32, mode: mode_t = 0) throws(DiskError) -> OpenFile {
    let all = flags | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK
    let path = Self.joined(names)
    if case .fast = resolver {
      let file = copenat2_beneath(descriptor, Self.text(path), all, mode)
      if file >= 0 { return OpenFile(owning: file, path: path) }
      // Seccomp filters older than the call answer EPERM; the portable way finds the true reason.
      guard errno == ENOSYS || errno == EPERM else { throw DiskError(.open, path, errno) }
    }
    return try withFolder(above: names) { (folder, name) throws(DiskError) in
      let file = openat(folder, Self.text(name.bytes), all, mode)
      guard file >= 0 else { throw DiskError(.open, path, errno) }
      return OpenFile(owning: file, path: path)
    }
  }

  /// Makes the folders above a path that are not there.
  func makeFolders(above names: [PathElement]) throws(DiskError) {
    try withFolder(above: names, making: true) { (_, _) throws(DiskError) in }
  }

  /// Removes a file in this folder itself; one that is not there, or cannot be removed, is no error.
  func remove(_ name: PathElement) { _ = unlinkat(descriptor, Self.text(name.bytes), 0) }

  /// Removes the file or symlink at a path, if `isMeant` says so by how it looks. What has it open keeps
  /// it. False where it is left, or is not there.
  func remove(_ names: [PathElement], if isMeant: (stat) -> Bool) throws(DiskError) -> Bool {
    try withFolder(above: names) { (folder, name) throws(DiskError) in
      var status = stat()
      guard fstatat(folder, Self.text(name.bytes), &status, AT_SYMLINK_NOFOLLOW) == 0 else {
        if errno == ENOENT { return false }
        throw DiskError(.remove, Self.joined(names), errno)
      }
      guard isMeant(status) else { return false }
      guard unlinkat(folder, Self.text(name.bytes), 0) == 0 else {
        throw DiskError(.remove, Self.joined(names), errno)
      }
      return true
    }
  }

  /// Removes a folder if it is empty.
  func removeFolder(_ names: [PathElement]) {
    _ = try? withFolder(above: names) { (folder, name) throws(DiskError) in
      _ = unlinkat(folder, Self.text(name.bytes), AT_REMOVEDIR)
    }
  }

  /// Moves a file of this folder to a path where nothing is yet (else EEXIST), in folders that are
  /// there.
  func name(_ file: PathElement, _ names: [PathElement]) throws(DiskError) {
    try withFolder(above: names) { (folder, name) throws(DiskError) in
      let (old, new) = (Self.text(file.bytes), Self.text(name.bytes))
      // A link, unlike a rename, never replaces.
      if linkat(descriptor, old, folder, new, 0) == 0 {
        _ = unlinkat(descriptor, old, 0)
        return
      }
      guard errno != EEXIST else { throw DiskError(.create, Self.joined(names), errno) }
      // File systems without hard links: what is replaced is an empty file that was made just now.
      let made = openat(folder, new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
      guard made >= 0 else { throw DiskError(.create, Self.joined(names), errno) }
      Glibc.close(made)
      guard renameat(descriptor, old, folder, new) == 0 else {
        throw DiskError(.create, Self.joined(names), errno)
      }
    }
  }

  /// The folder as an open file.
  func openItself() throws(DiskError) -> OpenFile {
    let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
    guard copy >= 0 else { throw DiskError(.open, path, errno) }
    return OpenFile(owning: copy, path: path)
  }

  /// Makes a symlink that holds `text`. The same symlink there already is success.
  func makeSymlink(_ names: [PathElement], text: [UInt8]) throws(DiskError) {
    try withFolder(above: names, making: true) { (folder, name) throws(DiskError) in
      let result = symlinkat(Self.text(text), folder, Self.text(name.bytes))
      if result == 0 { return }
      let reason = errno
      guard reason == EEXIST, Self.readLink(folder, name) == text else {
        throw DiskError(.create, Self.joined(names), reason)
      }
    }
  }

  /// Puts the names in the folders above a path on the medium, up to this folder.
  func syncFolders(above names: [PathElement]) throws(DiskError) {
    for depth in (0..<names.count).reversed() {
      let folder = Array(names.prefix(depth))
      guard !folder.isEmpty else { break }
      try open(folder, flags: O_RDONLY | O_DIRECTORY).sync(metadata: true)
    }
    try syncNames()
  }

  /// Puts the names in this folder on the medium.
  func syncNames() throws(DiskError) {
    while fsync(descriptor) != 0 {
      guard errno == EINTR else { throw DiskError(.sync, path, errno) }
    }
  }

  /// Puts a file with these bytes in the place of `name`, or makes it: written beside it, synced,
  /// renamed, the folder synced. Whoever looks sees the old file or the new one, whole; so does the
  /// next start after a power cut.
  ///
  /// - Parameter mode: permissions of the file, before the umask.
  public func replace(
    _ name: PathElement, with bytes: [UInt8], mode: UInt32 = 0o666
  ) throws(DiskError) {
    let temporary = Array(name.bytes.prefix(MetainfoLimits.pathElementBytes - 4) + ".new".utf8)
    let removed = unlinkat(descriptor, Self.text(temporary), 0)
    guard removed == 0 || errno == ENOENT else { throw DiskError(.replace, temporary, errno) }
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW
    let made = openat(descriptor, Self.text(temporary), flags, mode)
    guard made >= 0 else { throw DiskError(.create, temporary, errno) }
    let file = OpenFile(owning: made, path: temporary)
    try file.write(bytes, at: 0)
    try file.sync(metadata: true)
    try file.close()
    let renamed = renameat(descriptor, Self.text(temporary), descriptor, Self.text(name.bytes))
    guard renamed == 0 else { throw DiskError(.replace, name.bytes, errno) }
    try syncNames()
  }

  /// Calls `body` with the folder that holds the last name, reached name by name.
  private func withFolder<Result: ~Copyable>(
    above names: [PathElement], making: Bool = false,
    _ body: (Int32, PathElement) throws(DiskError) -> Result
  ) throws(DiskError) -> Result {
    guard let last = names.last else { preconditionFailure("an empty path") }
    guard names.count > 1 else { return try body(descriptor, last) }
    var folder = try enter(names[0], of: descriptor, making)
    for name in names[1..<(names.count - 1)] {
      folder = try enter(name, of: folder.descriptor, making)
    }
    return try body(folder.descriptor, last)
  }

  private func enter(
    _ name: PathElement, of folder: Int32, _ making: Bool
  ) throws(DiskError) -> OpenFile {
    let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
    let text = Self.text(name.bytes)
    var found = openat(folder, text, flags)
    if found < 0, errno == ENOENT, making {
      guard mkdirat(folder, text, 0o777) == 0 || errno == EEXIST else {
        throw DiskError(.create, name.bytes, errno)
      }
      found = openat(folder, text, flags)
    }
    guard found >= 0 else { throw DiskError(.open, name.bytes, errno) }
    return OpenFile(owning: found, path: name.bytes)
  }

  private static func readLink(_ folder: Int32, _ name: PathElement) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: Int(PATH_MAX)) { buffer, count in
      let length = buffer.withMemoryRebound(to: CChar.self) { text in
        text.baseAddress.map { readlinkat(folder, Self.text(name.bytes), $0, text.count) } ?? -1
      }
      count = max(0, length)
    }
  }

  static func joined(_ names: [PathElement]) -> [UInt8] {
    Array(names.map(\.bytes).joined(separator: [UInt8(ascii: "/")]))
  }

  /// The name as system calls take it: with a NUL behind it.
  private static func text(_ name: [UInt8]) -> [CChar] { name.map { CChar(bitPattern: $0) } + [0] }
}
