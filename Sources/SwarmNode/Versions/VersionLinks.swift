import Glibc
import Metainfo

/// The places of a dataset's versions in the folder that somebody joined it into:
///
///     DIR/<name>@<n>     version n: a folder, or the only file
///     DIR/<name>         a symlink to the one that counts
///
/// So a version never changes under who reads it, older ones stay readable, and one path leads to the
/// newest. The symlink is replaced in one step: whoever looks sees the old version or the new one.
public struct VersionLinks: Sendable {
  /// The folder.
  public let directory: [UInt8]
  /// The dataset's name.
  public let name: PathElement

  /// Why there can be no such places.
  public enum Obstacle: Error, Hashable, Sendable, CustomStringConvertible {
    /// Something that is no symlink of ours is where the symlink goes.
    case inTheWay([UInt8])
    /// With its number the name is longer than names can be.
    case nameTooLong([UInt8])
    /// A system call failed.
    case system(SystemError)

    /// What is wrong, where, and what to do.
    public var description: String {
      switch self {
      case .inTheWay(let path):
        "\(printable(path)) is in the way: it is to be a symlink to the newest version. Move it away, "
          + "or name another folder behind the link"
      case .nameTooLong(let name):
        "the name \"\(printable(name))\" is too long to have a version's number behind it"
      case .system(let error): error.description
      }
    }
  }

  /// The places in a folder.
  public init(directory: [UInt8], name: PathElement) {
    self.directory = directory
    self.name = name
  }

  /// What a version is called in the folder.
  public func placeName(of number: UInt64) throws(Obstacle) -> PathElement {
    let text = name.bytes + [Self.mark] + Array("\(number)".utf8)
    do throws(ContentPathError) {
      return try PathElement(text)
    } catch {
      throw .nameTooLong(name.bytes)
    }
  }

  /// Where a version is.
  public func place(of number: UInt64) throws(Obstacle) -> [UInt8] {
    directory.appending(path: try placeName(of: number).bytes)
  }

  /// Where the symlink is.
  public var link: [UInt8] { directory.appending(path: name.bytes) }

  /// The version that the symlink leads to; nil when there is no symlink. Throws what else is there.
  public func current() throws(Obstacle) -> UInt64? {
    var status = stat()
    guard link.withCPath({ lstat($0, &status) }) == 0 else {
      if errno == ENOENT { return nil }
      throw .system(SystemError("read", link))
    }
    guard fileType(status) == S_IFLNK, let number = number(in: Self.text(of: link)) else {
      throw .inTheWay(link)
    }
    return number
  }

  /// The versions that have a place, ascending.
  public func versions() throws(SystemError) -> [UInt64] {
    guard let folder = directory.withCPath({ opendir($0) }) else {
      if errno == ENOENT { return [] }
      throw SystemError("read", directory)
    }
    defer { closedir(folder) }
    var numbers: [UInt64] = []
    while let entry = readdir(folder) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      if let number = number(in: name) { numbers.append(number) }
    }
    return numbers.sorted()
  }

  /// Makes the symlink lead to a version, in one step. Throws what is in its way.
  public func point(to number: UInt64) throws(Obstacle) {
    try point(to: number) { (_) throws(Obstacle) in }
  }

  /// The points at which tests stop.
  enum Step: CaseIterable {
    case make, rename, sync
  }

  func point(
    to number: UInt64, onStep: (Step) throws(Obstacle) -> Void
  ) throws(Obstacle) {
    let target = try placeName(of: number).bytes
    if try current() == number { return }
    // Fixed, so that the next time finds what a killed program has left.
    let digest = SHA256Digest(hashing: name.bytes).hex.prefix(16)
    let temporary = directory.appending(path: Array(".swarm-\(digest).link".utf8))
    if temporary.withCPath({ unlink($0) }) != 0, errno != ENOENT {
      throw .system(SystemError("remove", temporary))
    }
    try onStep(.make)
    let made = target.withCPath { target in temporary.withCPath { symlink(target, $0) } }
    guard made == 0 else { throw .system(SystemError("make", temporary)) }
    try onStep(.rename)
    // Again: a rename would take the place of a file that came meanwhile.
    _ = try current()
    let renamed = temporary.withCPath { old in link.withCPath { rename(old, $0) } }
    guard renamed == 0 else {
      let error = SystemError("replace", link)
      _ = temporary.withCPath { unlink($0) }
      throw .system(error)
    }
    try onStep(.sync)
    if let folder = Descriptor(path: directory, flags: O_RDONLY | O_DIRECTORY) {
      fsync(folder.number)
    }
  }

  /// Between the name and the number.
  private static let mark = UInt8(ascii: "@")

  /// The number of the version whose place has that name; nil when it is none of ours.
  private func number(in place: [UInt8]) -> UInt64? {
    let head = name.bytes + [Self.mark]
    guard place.starts(with: head) else { return nil }
    let digits = String(decoding: place.dropFirst(head.count), as: UTF8.self)
    guard let number = UInt64(digits), number > 0, "\(number)" == digits else { return nil }
    return number
  }

  private static func text(of link: [UInt8]) -> [UInt8] {
    var text = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let count = link.withCPath { path in
      text.withUnsafeMutableBytes { readlink(path, $0.baseAddress!, $0.count) }
    }
    return Array(text[..<max(count, 0)])
  }
}
