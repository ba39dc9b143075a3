//! How far something is.
//!
//! In: how many things there are to do, and each time one is done. Out: a bar
//! on standard error, when that is a terminal and patience has run out.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

/// Work that takes longer shows its progress.
const PATIENCE: Duration = Duration::from_secs(1);

/// A bar on a terminal, when there is one and patience runs out.
pub(crate) struct Progress<T: Fn() -> Option<ProgressDrawTarget>> {
    bar: ProgressBar,
    since: Instant,
    patience: Duration,
    terminal: T,
}

impl<T: Fn() -> Option<ProgressDrawTarget>> Progress<T> {
    fn new(doing: &str, things: &str, all: usize, patience: Duration, terminal: T) -> Self {
        let bar = ProgressBar::with_draw_target(Some(all as u64), ProgressDrawTarget::hidden());
        let template = format!("{doing} {{bar:30}} {{pos}}/{{len}} {things}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        Self {
            bar,
            since: Instant::now(),
            patience,
            terminal,
        }
    }

    /// One thing more is done.
    pub(crate) fn step(&self) {
        self.bar.inc(1);
        if self.bar.is_hidden()
            && self.since.elapsed() >= self.patience
            && let Some(terminal) = (self.terminal)()
        {
            self.bar.set_draw_target(terminal);
            self.bar.tick();
        }
    }
}

impl Progress<fn() -> Option<ProgressDrawTarget>> {
    /// A bar on standard error: `reading … 3/12 files`.
    pub(crate) fn on_terminal(doing: &str, things: &str, all: usize) -> Self {
        Self::new(doing, things, all, PATIENCE, || {
            let terminal = io::stderr().is_terminal();
            terminal.then(ProgressDrawTarget::stderr)
        })
    }
}

impl<T: Fn() -> Option<ProgressDrawTarget>> Drop for Progress<T> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::TermLike;
    use std::sync::{Arc, Mutex};

    /// What was drawn.
    #[derive(Clone, Debug, Default)]
    struct Screen(Arc<Mutex<String>>);

    impl Screen {
        fn push(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
    }

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            80
        }

        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.push(text)
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            self.push(text)
        }

        fn clear_line(&self) -> io::Result<()> {
            self.push("<clear>")
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn drawn(patience: Duration, terminal: bool) -> String {
        let screen = Screen::default();
        let target = || {
            let screen = Box::new(screen.clone());
            terminal.then(|| ProgressDrawTarget::term_like(screen))
        };
        let progress = Progress::new("reading", "files", 12, patience, target);
        for _ in 0..7 {
            progress.step();
        }
        drop(progress);
        screen.0.lock().unwrap().clone()
    }

    #[test]
    fn the_bar_is_drawn_when_patience_runs_out_and_cleared() {
        let text = drawn(Duration::ZERO, true);
        assert!(
            text.contains("reading ") && text.contains("1/12 files"),
            "{text}"
        );
        assert!(text.ends_with("<clear>"), "{text}");
    }

    #[test]
    fn no_bar_is_drawn_in_time_or_without_a_terminal() {
        assert_eq!(drawn(Duration::from_secs(3600), true), "");
        assert_eq!(drawn(Duration::ZERO, false), "");
    }
}
