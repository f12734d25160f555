// Says so when a page can't be loaded. A plain script that needs no other file: it must run when
// none of the modules does.

(() => {
  // Whoever comes by a reload has been through this before.
  const isSecondTry = performance.getEntriesByType('navigation')[0]?.type === 'reload';

  // The modules remove it when they are up.
  const placeholder = () => document.getElementById('loading');

  function say() {
    placeholder().dataset.failed = '';
    placeholder().querySelector('h1').focus();
  }

  // A phone that changes networks loses what was under way: the first time we try again ourselves,
  // unless the server can't be reached, where the browser's own error would take the page's place.
  function onFailed() {
    if (!placeholder()) return;
    if (isSecondTry) say();
    else fetch(location.href).then(() => location.reload(), say);
  }

  addEventListener(
    'error',
    ({ target }) => {
      if (target !== window && target.type !== 'module') return;
      if (document.readyState === 'loading') addEventListener('DOMContentLoaded', onFailed);
      else onFailed();
    },
    true,
  );

  addEventListener('submit', (event) => {
    if (event.target.id !== 'not-loaded') return;
    event.preventDefault();
    location.reload();
  });
})();
