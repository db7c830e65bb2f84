import Glibc
import Metainfo

/// Reading and replacing small files as a whole.
public enum WholeFile {
  /// The bytes of the file at `path`. A file of more than `limit` bytes is an error, and costs no
  /// memory.
  public static func read(_ path: [UInt8], limit: Int) throws(SystemError) -> [UInt8] {
    guard let file = Descriptor(path: path, flags: O_RDONLY), let status = file.status() else {
      throw SystemError("read", path)
    }
    if fileType(status) == S_IFDIR { throw SystemError("read", path, EISDIR) }
    if status.st_size > limit { throw SystemError("read", path, EFBIG) }
    // A pipe, as of a shell's <(…), may still be waiting for its writer.
    let flags = fcntl(file.number, F_GETFL)
    if flags >= 0 { _ = fcntl(file.number, F_SETFL, flags & ~O_NONBLOCK) }
    // Reserved at once, since growing by copies would double the peak. Untouched, it costs nothing.
    var bytes: [UInt8] = []
    bytes.reserveCapacity(fileType(status) == S_IFREG ? Int(status.st_size) + 1 : limit)
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = Glibc.read(file.number, &chunk, chunk.count)
      if count == 0 { return bytes }
      if count < 0 {
        if errno == EINTR { continue }
        throw SystemError("read", path)
      }
      if bytes.count + count > limit { throw SystemError("read", path, EFBIG) }
      bytes.append(contentsOf: chunk[..<count])
    }
  }

  /// Whether `write` may put a file at `path`, for asking before long work: its folder can be
  /// written to, and what is there already is a regular file. What lies at `source` is never to be
  /// replaced, by whichever of its names.
  public static func checkTarget(_ path: [UInt8], sparing source: [UInt8]) throws(SystemError) {
    try checkReplaceable(path)
    let folder = folder(of: path)
    guard folder.withCPath({ access($0, W_OK | X_OK) }) == 0 else {
      throw SystemError("write", path)
    }
    var (old, content) = (stat(), stat())
    if path.withCPath({ stat($0, &old) }) == 0, source.withCPath({ stat($0, &content) }) == 0,
      old.st_dev == content.st_dev, old.st_ino == content.st_ino
    {
      throw SystemError("replace", path, EINVAL, detail: "it is the content itself")
    }
  }

  /// Puts a file with `bytes` at `path`, whole or not at all: written without a name where the file
  /// system can, else beside it; synced, renamed. An existing file is replaced, with
  /// `keepsExisting` it is left alone and EEXIST is thrown. Nothing but a file is ever replaced.
  ///
  /// - Parameter mode: permissions of the file, before the umask.
  public static func write(
    _ bytes: [UInt8], to path: [UInt8], keepsExisting: Bool = false, mode: UInt32 = 0o666
  ) throws(SystemError) {
    try checkReplaceable(path)
    let folder = folder(of: path)
    // Short, since the name beside it may be as long as names can be. Of another namespace's process, and of
    // another thread, the number may be the same.
    let temporary = folder.appending(path: Leftovers.newName())
    // O_TMPFILE of linux/fcntl.h, which the C library hides behind a feature macro.
    let unnamedFlag: CInt = 0o20_000_000 | O_DIRECTORY
    var descriptor = folder.withCPath { open($0, O_WRONLY | O_CLOEXEC | unnamedFlag, mode) }
    let isUnnamed = descriptor >= 0
    if !isUnnamed {
      let flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC
      descriptor = temporary.withCPath { open($0, flags, mode) }
    }
    guard descriptor >= 0 else { throw SystemError("write", path) }
    defer { close(descriptor) }
    do throws(SystemError) {
      try fill(descriptor, with: bytes, path: path)
      if isUnnamed { try name(descriptor, temporary, path: path) }
      try publish(temporary, at: path, keepsExisting: keepsExisting)
    } catch {
      _ = temporary.withCPath { unlink($0) }
      throw error
    }
  }

  private static func folder(of path: [UInt8]) -> [UInt8] {
    path.lastIndex(of: UInt8(ascii: "/")).map { Array(path[...$0]) } ?? Array(".".utf8)
  }

  /// A rename would take the place of a device or a FIFO too, and of what a link leads to it.
  private static func checkReplaceable(_ path: [UInt8]) throws(SystemError) {
    var status = stat()
    guard path.withCPath({ stat($0, &status) }) == 0 else {
      if errno == ENOENT { return }
      throw SystemError("write", path)
    }
    switch fileType(status) {
    case S_IFREG: return
    case S_IFDIR: throw SystemError("write", path, EISDIR)
    default: throw SystemError("replace", path, EINVAL, detail: "it is not a regular file")
    }
  }

  private static func fill(_ descriptor: CInt, with bytes: [UInt8], path: [UInt8])
    throws(SystemError)
  {
    var number: CInt = 0
    bytes.withUnsafeBytes { bytes in
      var done = 0
      while done < bytes.count, number == 0 {
        let count = Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
        if count > 0 { done += count } else if errno != EINTR { number = errno }
      }
    }
    if number == 0, fsync(descriptor) != 0 { number = errno }
    if number != 0 { throw SystemError("write", path, number) }
  }

  /// Gives an unnamed file its name for the moment of the rename.
  private static func name(_ descriptor: CInt, _ temporary: [UInt8], path: [UInt8])
    throws(SystemError)
  {
    let status = temporary.withCPath {
      linkat(AT_FDCWD, "/proc/self/fd/\(descriptor)", AT_FDCWD, $0, AT_SYMLINK_FOLLOW)
    }
    if status != 0 { throw SystemError("write", path) }
  }

  private static func publish(_ temporary: [UInt8], at path: [UInt8], keepsExisting: Bool)
    throws(SystemError)
  {
    let status = temporary.withCPath { temporary in
      path.withCPath { path in
        // A link, unlike a rename, never replaces.
        keepsExisting ? link(temporary, path) : rename(temporary, path)
      }
    }
    guard status == 0 else { throw SystemError("write", path) }
    if keepsExisting { _ = temporary.withCPath { unlink($0) } }
    if let folder = Descriptor(path: folder(of: path), flags: O_RDONLY | O_DIRECTORY) {
      fsync(folder.number)
    }
  }
}
