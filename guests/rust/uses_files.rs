//! Does with the standard library, in the directory that it is given, what programs do with files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

fn main() -> io::Result<()> {
    let top = std::env::args().nth(1).expect("a directory is given");
    let top = Path::new(&top);
    let (deep, file) = (top.join("a/b/c"), top.join("a/b/c/lines"));
    fs::create_dir_all(&deep)?;
    let mut lines = File::create(&file)?;
    for number in 0..10_000 {
        writeln!(lines, "line {number}")?;
    }
    lines.sync_all()?;
    drop(lines);
    let read = BufReader::new(File::open(&file)?).lines().count();
    println!("{read} lines in {} bytes", fs::metadata(&file)?.len());
    let mut update = OpenOptions::new().read(true).write(true).open(&file)?;
    update.seek(SeekFrom::End(-5))?;
    let mut tail = String::new();
    update.read_to_string(&mut tail)?;
    println!("ends with {tail:?}");
    update.set_len(6)?;
    println!("cut to {:?}", fs::read_to_string(&file)?);
    OpenOptions::new()
        .append(true)
        .open(&file)?
        .write_all(b"!")?;
    let copied = fs::copy(&file, top.join("copy"))?;
    println!(
        "copied {copied}: {:?}",
        fs::read_to_string(top.join("copy"))?
    );
    fs::rename(top.join("copy"), top.join("a/moved"))?;
    let mut names: Vec<_> = fs::read_dir(top.join("a"))?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<Result<_, _>>()?;
    names.sort();
    println!("{names:?}");
    println!(
        "{:?}",
        File::open(top.join("nothing"))
            .map_err(|error| error.kind())
            .err()
    );
    println!("{:?}", fs::remove_dir(top.join("a")).is_err());
    fs::remove_dir_all(top.join("a"))?;
    println!("{} left", fs::read_dir(top)?.count());
    Ok(())
}
