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

  /// Puts a file with `bytes` at `path`, whole or not at all: written beside it, synced, renamed.
  /// An existing file is replaced, with `keepsExisting` it is left alone and EEXIST is thrown.
  public static func write(_ bytes: [UInt8], to path: [UInt8], keepsExisting: Bool = false)
    throws(SystemError)
  {
    let temporary = path + Array(".tmp-\(getpid())".utf8)
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC
    let descriptor = temporary.withCPath { open($0, flags, 0o666) }
    guard descriptor >= 0 else { throw SystemError("write", path) }
    do throws(SystemError) {
      try fill(descriptor, with: bytes, path: path)
      try publish(temporary, at: path, keepsExisting: keepsExisting)
    } catch {
      _ = temporary.withCPath { unlink($0) }
      throw error
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
    if close(descriptor) != 0, number == 0 { number = errno }
    if number != 0 { throw SystemError("write", path, number) }
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
    let slash = path.lastIndex(of: UInt8(ascii: "/"))
    let folder = slash.map { $0 == 0 ? [UInt8(ascii: "/")] : Array(path[..<$0]) }
    if let folder = Descriptor(path: folder ?? Array(".".utf8), flags: O_RDONLY | O_DIRECTORY) {
      fsync(folder.number)
    }
  }
}
